"""From the turns of a run to docs/benchmarks-network.md."""

from statistics import median

from . import page
from .stage import tell

# The goals: contender, event, figure, its maximum, text.
GOALS = (
    ("tcp", "path cut", "silence_s", 1.5, "Path cut behind the access point, TCP: on the other uplink within 1.5 s"),
    ("tcp", "link down", "silence_s", 1.5, "Link taken down, TCP: the same"),
    ("mptcp", "path cut", "lost", 0, "Path cut, MPTCP: no frame lost"),
    ("mptcp", "path cut", "silence_s", 0.5, "Path cut, MPTCP: longest gap under 500 ms"),
    ("mptcp", "link down", "lost", 0, "Link taken down, MPTCP: no frame lost"),
    ("mptcp", "link down", "silence_s", 0.5, "Link taken down, MPTCP: longest gap under 500 ms"),
    ("mptcp", "path back", "lost", 0, "Return to the preferred uplink, MPTCP: no frame lost"),
    ("mptcp", "link up", "lost", 0, "Return once the link is up again, MPTCP: no frame lost"),
    ("tcp", "path back", "lost", 0, "Return to the preferred uplink, TCP: no frame lost"),
    ("tcp", "link up", "lost", 0, "Return once the link is up again, TCP: no frame lost"),
)


def machine(programs, root):
    facts = page.machine(programs, root)
    facts["networkmanager"] = tell(["NetworkManager", "--version"]).strip()
    return facts


def brief(turn):
    events = "; ".join(f"{name} {figures['silence_s']:.2f} s, {figures['lost']} lost, {figures['sessions']} new" + ("" if figures["came_back"] else ", NOT BACK")
                       for name, figures in turn["events"].items())
    flags = "  ! " + "; ".join(turn["flags"]) if turn["flags"] else ""
    return f"{turn['title']}: {events}{flags}"


def of(record, contender, event, figure):
    return [turn["events"][event][figure] for turn in record["turns"] if turn["contender"] == contender and event in turn["events"]]


def spread(values, show):
    if not values:
        return "-"
    middle, least, most = median(values), min(values), max(values)
    return show(middle) if least == most else f"{show(middle)} ({show(least)} to {show(most)})"


def seconds(value):
    return f"{value:.2f}"


def goals(record):
    for contender, event, figure, most, words in GOALS:
        values = of(record, contender, event, figure)
        show = seconds if figure == "silence_s" else lambda value: f"{value:.0f}"
        unit = " s" if figure == "silence_s" else ""
        reached = bool(values) and median(values) <= most
        yield words, spread(values, show) + unit, reached
    ours = [turn for turn in record["turns"] if turn["contender"] in ("mptcp", "tcp")]
    cpu = [turn["cpu_until_proven_s"] * 1000 for turn in ours if "cpu_until_proven_s" in turn]
    rss = [turn["rss_mb"] for turn in ours if "rss_mb" in turn]
    yield "`robocast net` from its start until the network is verified: under 300 ms of CPU, its children's included", spread(cpu, lambda v: f"{v:.0f}") + " ms", bool(cpu) and median(cpu) < 300
    yield "`robocast net`: at most 12 MB in memory (RSS)", spread(rss, lambda v: f"{v:.1f}") + " MB", bool(rss) and median(rss) <= 12


def cell(record, contender, event):
    silence = of(record, contender, event, "silence_s")
    back = of(record, contender, event, "came_back")
    lost = of(record, contender, event, "lost")
    sessions = of(record, contender, event, "sessions")
    gone = back.count(False)
    words = f"{spread(silence, seconds)} s; {spread(lost, lambda v: f'{v:.0f}')} lost; {spread(sessions, lambda v: f'{v:.0f}')} new"
    return f"{words}; **not back in {gone} of {len(back)}**" if gone else words


def text(record, events):
    titles = {turn["contender"]: turn["title"] for turn in record["turns"]}
    facts = record["machine"]
    lines = [
        "# Benchmarks of the two uplinks", "",
        "`make bench` (`ci/bench-network`) writes this page; the raw figures are in",
        "[benchmarks-network.json](benchmarks-network.json).", "",
        "A simulated Go2 (H.264, 720p25) behind a box with two uplinks, in network namespaces: a real NetworkManager, a real",
        "nginx-rtmp that records. The preferred uplink loses its path behind the access point while its link stays up (path cut),",
        "gets it back, loses its carrier (link down), gets it back. The contenders take turns,",
        f"{record['rounds']} round{'s' if record['rounds'] > 1 else ''}; a figure is the median, with the minimum and the maximum in brackets.", "",
        "| Goal | measured |  |", "|---|---|---|",
    ]
    lines += [f"| {words} | {measured} | {'**reached**' if reached else 'missed'} |" for words, measured, reached in goals(record)]
    lines += ["", "For each event: the longest time without a frame at the server; frames that the robot sent and the server never got (of 300",
              "and more around the event, compared slice by slice with what the robot sent); new sessions.", "",
              "|  | " + " | ".join(events) + " |", "|---|" + "---|" * len(events)]
    lines += [f"| {title} | " + " | ".join(cell(record, contender, event) for event in events) + " |" for contender, title in titles.items()]
    lines += [
        "",
        "- **robocast, MPTCP**: the server supports MPTCP (`mptcpize run nginx`; MediaMTX does by itself).",
        "- **robocast, TCP**: it does not, and drops a publisher that was silent for 500 ms; a server that keeps it longer refuses",
        "  the new session for that time (`tests/failover` has that case).",
        "- **ffmpeg and NetworkManager**: `ffmpeg -c copy -rw_timeout 5000000` in a loop with a pause of a second, both uplinks as",
        "  NetworkManager profiles with the same order. The same server as for TCP. It has 45 s to recover.",
        "",
        "A gap includes what the access point does to the first frames after the event; a frame is due every 40 ms.",
        "",
        f"Measured on {record['date']}: {facts['cpu']}, {facts['cores']} cores, Linux {facts['kernel']}, {facts['os']}, "
        f"robocast {facts['robocast']} ({facts['commit']}), NetworkManager {facts['networkmanager']}, nginx {facts['nginx']}, ffmpeg {facts['ffmpeg']}.",
        "",
    ]
    return "\n".join(lines)

