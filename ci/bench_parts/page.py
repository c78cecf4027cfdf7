"""From the turns of a run to docs/benchmarks.md."""

import os
import platform
import re
import subprocess
from statistics import median

from .stage import tell

PERCENTILES = ("p50", "p95", "p99")
MEMORY_GOAL_MB = 30
# A cost per stream that grows by at most this from one stream to sixteen counts as flat.
FLAT = 1.10
# Pictures a second of the measured stream, and of the additional ones.
MEASURED_FPS, OTHER_FPS = 30, 25
# The burnt-in clock counts milliseconds.
CLOCK_MS = 1

# Figures of a turn, and where to find them.
FIGURES = {
    "cpu": lambda turn: turn["cpu_percent"],
    "memory": lambda turn: turn["memory"]["alone_mb"],
    "pss": lambda turn: turn["memory"]["pss_mb"],
    "first": lambda turn: turn["first_frame_s"],
    "threads": lambda turn: turn["threads"],
    "switches": lambda turn: turn["switches_per_s"],
    "start_cpu": lambda turn: turn["start_cpu_s"],
    "fps": lambda turn: turn["probe"]["fps"],
} | {p: lambda turn, p=p: turn["latency_ms"][p] - turn["floor_ms"][p] for p in PERCENTILES}
OF_ROBOCAST = {
    "media_pss": lambda turn: turn["memory"]["camera_push_pss_mb"],
    "media": lambda turn: turn["memory"]["camera_push_alone_mb"],
}
RATIOS = ("cpu", "memory", "first")


def machine(executables, root):
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    with open("/proc/meminfo", encoding="utf-8") as file:
        memory = int(file.readline().split()[1]) / 2**20
    describe = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    commit = subprocess.run(describe, cwd=root, capture_output=True, text=True).stdout.strip()
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory, 1),
        "virtual": has_hypervisor(),
        "kernel": platform.release().split("-")[0],
        "os": platform.freedesktop_os_release().get("PRETTY_NAME", "Linux"),
        "robocast": tell([str(executables / "robocast"), "--version"]).split()[-1],
        # Executables given by the caller may have been built from anything.
        "commit": "executables given" if os.environ.get("ROBOCAST_BIN") else commit,
        "ffmpeg": re.search(r"ffmpeg version (\S+)", tell(["ffmpeg", "-version"]))[1],
        "gstreamer": re.search(r"GStreamer (\S+)", tell(["gst-launch-1.0", "--version"]))[1],
        "nginx": re.search(r"nginx/(\S+)", tell(["nginx", "-v"]))[1],
    }


def has_hypervisor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        return any(line.startswith("flags") and " hypervisor" in line for line in file)


def spread(values):
    return {"median": median(values), "min": min(values), "max": max(values), "values": values}


def summary(record, names):
    """By number of streams: the floor, the figures of each contender, robocast against each peer."""
    found = {}
    for count in record["streams"]:
        turns = [turn for turn in record["turns"] if turn["streams"] == count]
        floors = {turn["round"]: turn["floor_ms"] for turn in turns}
        part = {"floor_ms": {p: spread([floor[p] for floor in floors.values()]) for p in PERCENTILES},
                "contenders": {}, "against": {}}
        whole = {name: {turn["round"]: turn for turn in turns if turn["contender"] == name and turn.get("latency_ms")}
                 for name in names}
        for name, rounds in whole.items():
            if not rounds:
                continue
            figures = FIGURES | (OF_ROBOCAST if name == "robocast" else {})
            part["contenders"][name] = {
                figure: spread([round(take(turn), 3) for turn in rounds.values()]) for figure, take in figures.items()}
            part["contenders"][name]["flagged"] = sum(
                bool(turn["flags"]) for turn in turns if turn["contender"] == name)
        for name in names[1:]:
            both = sorted(whole["robocast"].keys() & whole[name].keys())
            pairs = [(whole["robocast"][number], whole[name][number]) for number in both]
            if pairs:
                part["against"][name] = {
                    figure: spread([round(FIGURES[figure](own) / FIGURES[figure](peer), 3) for own, peer in pairs])
                    for figure in RATIOS
                } | {p: spread([own["latency_ms"][p] - peer["latency_ms"][p] for own, peer in pairs])
                     for p in PERCENTILES}
        found[str(count)] = part
    return found


def goals(record):
    """Each goal with its figures and whether it was reached; None where it was not measured."""
    parts = record["summary"]

    def against(figure):
        return {count: part["against"]["gst-tuned"][figure]["median"]
                for count, part in parts.items() if "gst-tuned" in part["against"]}

    def reached(measured, most):
        """If one of the two did not deliver, nothing was reached."""
        if not measured:
            return None
        return len(measured) == len(parts) and all(value <= most for value in measured.values())

    cpu = against("cpu")
    yield ("CPU of the whole product: at most that of GStreamer, tuned",
           "; ".join(f"{many(count)}: {ratio:.2f} x" for count, ratio in cpu.items()),
           reached(cpu, 1))
    own = parts.get("1", {}).get("contenders", {}).get("robocast")
    yield (f"Memory of camera and push of one stream: at most {MEMORY_GOAL_MB} MB",
           f"{own['media']['median']:.1f} MB alone, {own['media_pss']['median']:.1f} MB PSS" if own else "",
           own["media"]["median"] <= MEMORY_GOAL_MB if own else None)
    for p in ("p50", "p99"):
        added = against(p)
        yield (f"Added latency, {p}: at most that of GStreamer, tuned (the clock counts in steps of {CLOCK_MS} ms)",
               "; ".join(f"{many(count)}: {round(difference) + 0.0:+.0f} ms" for count, difference in added.items()),
               reached(added, CLOCK_MS))
    counts = sorted(int(count) for count, part in parts.items() if "robocast" in part["contenders"])
    if len(counts) > 1 and counts[0] == 1:
        each = {count: per_stream(parts, count, "robocast") for count in counts}
        yield (f"Flat cost: CPU per stream at {counts[-1]} streams within {FLAT:.2f} x of one alone",
               "; ".join(f"{many(count)}: {percent:.2f} % each" for count, percent in each.items()),
               each[counts[-1]] <= FLAT * each[1])
    else:
        yield "Flat cost: CPU per stream the same for many streams as for one", "", None


def per_stream(parts, count, name):
    """CPU for each 30 pictures a second: the additional streams have fewer, which must not look like an advantage."""
    pictures = MEASURED_FPS + OTHER_FPS * (count - 1)
    return parts[str(count)]["contenders"][name]["cpu"]["median"] * MEASURED_FPS / pictures


def many(count):
    return f"{count} stream" + ("" if int(count) == 1 else "s")


def verdict(reached):
    return {True: "**reached**", False: "**not reached**", None: "not measured"}[reached]


def cell(value, digits):
    middle, low, high = (f"{round(value[key], digits) + 0.0:.{digits}f}" for key in ("median", "min", "max"))
    return middle if low == high else f"{middle} ({low} to {high})"


def table(head, rows, rule="---:|"):
    lines = ["| " + " | ".join(head) + " |", "|---|" + rule * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def tables(record, titles):
    for count, part in record["summary"].items():
        yield f"## {many(count).capitalize()}"
        rows = []
        for name, title in titles.items():
            if not (one := part["contenders"].get(name)):
                rows.append([title, "nothing arrived"] + ["-"] * 7)
                continue
            mark = f" ({one['flagged']} flagged)" if one["flagged"] else ""
            rows.append([title + mark, cell(one["cpu"], 2), cell(one["memory"], 1), *(cell(one[p], 0) for p in PERCENTILES),
                         cell(one["first"], 2), cell(one["threads"], 0), cell(one["switches"], 0)])
        yield table(["", "CPU, % of a core", "memory, MB", "added latency p50, ms", "p95, ms", "p99, ms",
                     "first picture, s", "threads", "switches/s"], rows)
        floor = part["floor_ms"]
        yield ("Floor (camera and reader with nothing between): "
               + ", ".join(f"{p} {cell(floor[p], 0)} ms" for p in PERCENTILES) + ".")
        own = part["contenders"].get("robocast")
        if own:
            yield (f"Of robocast's memory, camera and push take {cell(own['media'], 1)} MB a stream "
                   f"(PSS {cell(own['media_pss'], 1)} MB), the supervisor the rest. Everything as PSS: "
                   + ", ".join(f"{titles[name]} {cell(one['pss'], 1)} MB" for name, one in part["contenders"].items())
                   + ".")
        if part["against"]:
            yield "robocast against each, round by round (below 1 x, or below 0 ms: robocast needs less):"
            yield table(["", "CPU", "memory", "first picture", "latency p50", "p95", "p99"], [
                [titles[name], *(cell(ratio[figure], 2) + " x" for figure in RATIOS),
                 *(cell(ratio[p], 0) + " ms" for p in PERCENTILES)]
                for name, ratio in part["against"].items()])


def flat(record, titles):
    parts = record["summary"]
    if len(parts) < 2:
        return []
    rows = [[title, *(f"{per_stream(parts, int(count), name):.2f}" if name in part["contenders"] else "-"
                      for count, part in parts.items()),
             *(f"{part['contenders'][name]['memory']['median'] / int(count):.1f}" if name in part["contenders"] else "-"
               for count, part in parts.items())]
            for name, title in titles.items()]
    head = ["", *(f"CPU %, {many(count)}" for count in parts), *(f"MB, {many(count)}" for count in parts)]
    return ["## Cost per stream",
            f"CPU is given for {MEASURED_FPS} pictures a second: the additional streams have {OTHER_FPS}, which must "
            "not look like an advantage.", table(head, rows)]


def text(record, titles):
    box = record["machine"]
    counts = ", ".join(str(count) for count in record["streams"])
    flagged = [turn for turn in record["turns"] if turn["flags"]]
    parts = ["# Benchmarks"]
    if record["quick"]:
        parts.append("**A quick run, made to try the benchmark itself: its figures mean little.**")
    parts += [
        "`make bench` writes this page; the raw figures are in [benchmarks.json](benchmarks.json).",
        f"""The task: take H.264, 1280x720 with 30 pictures a second, from an RTSP camera and push it to an RTMP server,
unchanged. robocast does it, and so do the programs that people use for it today. They take turns, one after the other,
{record['rounds']} round{'s' if record['rounds'] > 1 else ''} for each number of streams ({counts}), so that a machine
that gets slower or faster affects all of them alike. A figure is the median over the rounds; the minimum and the
maximum are in brackets.""",
        table(["Goal", "measured", ""], [[goal, found or "-", verdict(reached)] for goal, found, reached in goals(record)],
              rule="---|"),
        "How to read the tables:",
        f"""- **CPU**: user and system time of all processes of the contender over {record['seconds']:.0f} s of steady work, as
  percent of one core. For robocast that is the whole product: supervisor, camera, push, and children that ended.
- **memory**: what the processes would use with no other process to share with: their private memory, and each page of a
  shared library once. It is never less than their PSS, which looks better here than on a box, since the camera and
  the reader of this benchmark use the same libraries.
- **added latency**: from the clock in the picture, read at the server's output, minus the same percentile
  of that round's floor, for which the reader is connected directly to the camera. It includes the server's share, the same for all.
- **first picture**: from the start of the program until the measured stream's first picture is decoded at the
  server. The simulated camera starts with a keyframe when a program connects. With several streams the measured one
  is started last.
- **threads**, **switches/s**: threads at the end, context switches a second of all threads.""",
        *tables(record, titles),
        *flat(record, titles),
        "## Machine",
        table(["", ""], [
            ["CPU", f"{box['cpu']}, {box['cores']} cores" + (", virtual machine" if box["virtual"] else "")],
            ["memory", f"{box['memory_gib']} GiB"],
            ["system", f"{box['os']}, Linux {box['kernel']}"],
            ["versions", f"robocast {box['robocast']} ({box['commit']}), ffmpeg {box['ffmpeg']}, "
                         f"GStreamer {box['gstreamer']}, nginx {box['nginx']} with its RTMP module"],
            ["busy before the run", f"{box['busy_before_percent']} % of a core"],
            ["date", f"{record['date']}, took {record['took_s'] / 60:.0f} min"],
        ], rule="---|"),
        "## Commands",
        """`$SOURCE` is the camera's RTSP URL, `$SINK` the server's RTMP URL. The peers run once for each stream, robocast once
with a `[[stream]]` of `name`, `source` and `push` for each; everything else is default.""",
        "\n".join(["```", *(f"# {titles[name]}\n{command}" for name, command in record["commands"].items()), "```"]),
        """- The tuned peers are set up as an expert would do it. ffmpeg: no probing of the input, no Nagle delay on output.
  GStreamer: no jitter buffer, no clock, no parser that this camera does not need, large RTMP chunks (the default
  of 128 bytes costs CPU and latency). They were chosen among a few variants by short trials.
- Camera: `robocast-sim rtsp --pattern`, 2 Mbit/s, a keyframe each second, the clock burnt in. With more than one
  stream the others play real footage (`--file`, 720p25, 1.2 Mbit/s), since encoding many patterns would use up the
  machine; the cost of passthrough depends on pictures and bytes a second, not on what they show.
- Server: nginx with one worker, all on one machine over loopback, nothing recorded. Its chunks are larger than a
  picture: with small ones this server delays large pictures by 40 ms on the way to the reader, whoever pushes.
- Reader: `robocast-sim probe --clock`. It connects to the server before the contender starts.""",
        "## What the figures do not say",
        """- Nothing about a network: no loss, no delay, no Wi-Fi. Outages and congestion have their own tests.
- Nothing about other machines: a small ARM board will show other numbers, and maybe other ratios.
- Nothing about encoding: the video is passed through.
- A contender that does less costs less: the peers neither reconnect, nor show a slate, nor report.
- Shared cores: camera, server and reader run beside the contender, so latency at many streams includes theirs.
- robocast's start-up work (a slate is encoded once, two seconds after the first picture) is before the window;
  the raw figures have it as `start_cpu_s`.""",
    ]
    if flagged:
        parts += ["## Flagged turns", "Something went wrong in these turns; their figures are still counted.", "\n".join(
            f"- {many(turn['streams'])}, round {turn['round']}, {titles[turn['contender']]}: {'; '.join(turn['flags'])}"
            for turn in flagged)]
    return "\n\n".join(parts) + "\n"


def terminal(record, titles):
    """The tables, abbreviated."""
    lines = []
    for count, part in record["summary"].items():
        lines.append(f"{many(count):<22}{'CPU %':>8}{'MB':>8}{'p50':>6}{'p95':>6}{'p99':>6} ms added"
                     f"{'first s':>9}{'threads':>9}")
        for name, one in part["contenders"].items():
            middle = {figure: value["median"] for figure, value in one.items() if figure != "flagged"}
            lines.append(f"  {titles[name]:<20}{middle['cpu']:8.2f}{middle['memory']:8.1f}{middle['p50']:6.0f}"
                         f"{middle['p95']:6.0f}{middle['p99']:6.0f}{'':9}{middle['first']:9.2f}{middle['threads']:9.0f}"
                         + (f"  {one['flagged']} flagged" if one["flagged"] else ""))
    lines += [f"{verdict(reached).strip('*'):<12} {goal}" + (f" ({found})" if found else "")
              for goal, found, reached in goals(record)]
    return "\n".join(lines)
