# shellcheck shell=bash
# The surroundings of a demonstration: its own folder, a media server, a robot, and an end that leaves nothing behind.
# To be sourced, after ci/terminal.sh; $programs is the folder of robocast's executables, $seconds how long the demo runs.
# shellcheck disable=SC2034,SC2154,SC2317  # variables of the sourcing script; functions that are called by traps and by name

# Under /tmp whatever TMPDIR says: the server must be able to read it as another user.
folder=$(mktemp -d /tmp/robocast-demo.XXXXXX)
children=()
shown=false

clean_up() {
    local result=$? turn
    trap '' INT TERM HUP
    trap - EXIT
    set +e
    printf '%s' "$wipe"
    [ ${#children[@]} = 0 ] || kill -TERM "${children[@]}" 2>/dev/null
    for turn in {1..50}; do
        [ -n "$(jobs -pr)" ] || break
        sleep 0.1
    done
    [ "$turn" -lt 50 ] || kill -KILL "${children[@]}" 2>/dev/null
    wait
    rm -rf "$folder"
    say "Stopped; nothing is left running."
    exit "$result"
}
# Once the video was shown, Ctrl-C is the expected end.
interrupted() { if $shown && [ -z "$seconds" ]; then exit 0; else exit 130; fi; }
trap clean_up EXIT
trap interrupted INT
trap 'exit 143' TERM HUP

fail() {
    local log
    complain "$1"
    for log in robot robocast nginx; do
        if [ -s "$folder/$log.log" ]; then
            complain "--- the last lines of $log:"
            tail -n 12 "$folder/$log.log" >&2
        fi
    done
    [ ! -s "$folder/page/status.json" ] || complain "--- what robocast said last: $(cat "$folder/page/status.json")"
    exit 1
}

# Children end with this script, even if it is killed; Ctrl-C reaches only this script, which ends them in order.
own() { exec setsid setpriv --pdeathsig TERM "$@"; }

alive() { kill -0 "$1" 2>/dev/null; }

### The server

chmod 755 "$folder"
mkdir "$folder/server" "$folder/page"
cp ci/demo.d/page/* "$folder/page/"
as_nobody=()
if [ "$(id -u)" = 0 ]; then
    chown nobody "$folder/server"
    as_nobody=(--reuid nobody --regid nogroup --clear-groups)
fi

# A port is free if the server can bind it: nothing else is checked, so two demos can never collide.
start_server() {
    local log=$folder/nginx.log
    for _ in {1..20}; do
        http_port=$((RANDOM % 12000 + 20000)) rtmp_port=$((RANDOM % 12000 + 20000))
        [ "$http_port" != "$rtmp_port" ] || continue
        sed -e "s|@FOLDER@|$folder/server|; s|@PAGE@|$folder/page|; s|@APPLICATION@|${ROBOCAST_DEMO_APPLICATION:-live}|" \
            -e "s|@HTTP_PORT@|$http_port|; s|@RTMP_PORT@|$rtmp_port|" ci/demo.d/nginx.conf.in >"$folder/nginx.conf"
        own "${as_nobody[@]}" /usr/sbin/nginx -e stderr -p "$folder/server" -c "$folder/nginx.conf" 2>"$log" &
        server=$!
        # The server writes its pid file when everything is bound.
        until [ -s "$folder/server/nginx.pid" ]; do
            alive "$server" || break
            sleep 0.1
        done
        if alive "$server"; then
            children+=("$server")
            return
        fi
        grep -q "Address already in use" "$log" || break
    done
    fail "The media server does not start."
}

### The robot

start_robot() {
    mkfifo "$folder/orders"
    own "$programs/robocast-sim" go2 --interface lo --file tests/fixtures/bigbuckbunny-720p25.mp4 \
        <"$folder/orders" >"$folder/robot.json" 2>"$folder/robot.log" &
    robot=$!
    children+=("$robot")
    exec {orders}>"$folder/orders"
    until_true "Robot: a simulated Go2 plays real footage" 20 robot_ready || fail "The simulated robot does not start."
}
robot_ready() { [ -s "$folder/robot.json" ] || { alive "$robot" || return 2; return 1; }; }

### robocast, and what reaches the server

# robocast's status, for the page.
publish() {
    local line
    while IFS= read -r line; do
        printf '%s\n' "$line" >"$folder/page/status.new"
        mv "$folder/page/status.new" "$folder/page/status.json"
    done
}

all_alive() { alive "$server" && alive "$robot" && alive "$robocast"; }
pushing() { jq -e '.state == "live"' "$folder/page/status.json" >/dev/null 2>&1 || { all_alive || return 2; return 1; }; }
server_has_fragment() { grep -qs '\.ts$' "$folder/server/hls/front.m3u8" || { all_alive || return 2; return 1; }; }

# Plays the server's output; the result is in $folder/probe.json.
probe() {
    own "$programs/robocast-sim" probe "rtmp://127.0.0.1:$rtmp_port/live/front" --wait 30 "$@" \
        >"$folder/probe.json" 2>"$folder/probe.log" &
    probe=$!
    children+=("$probe")
}
probe_ended() { ! alive "$probe" || return 1; wait "$probe" || return 2; }

until_video() {
    probe --until-first
    until_true "Server: the first picture, played back from it" 40 probe_ended ||
        fail "No picture came out of the server: $(tail -n 1 "$folder/probe.log")"
    until_true "Server: the first piece of video for browsers" 60 server_has_fragment ||
        fail "The server has no video for browsers."
}

# $seconds of video, played back from the server.
prove_video() {
    mkdir -p demo-out
    probe --seconds "$seconds" --json --png demo-out/frame.png
    until_true "Server: $seconds s of video, played back from it" $((seconds + 60)) probe_ended ||
        fail "The server's video ended: $(tail -n 1 "$folder/probe.log")"
    all_alive || fail "A program ended early."
    pushing || fail "The robot's video is no longer sent."
    # Less than one picture a second, or no readable picture, is not video.
    jq -e ".frames >= $seconds" "$folder/probe.json" >/dev/null || fail "Hardly any picture arrived: $(cat "$folder/probe.json")"
    [ -s demo-out/frame.png ] || fail "There is no picture in demo-out."
    well "$(jq -r '"\(.frames) pictures of \(.width)x\(.height) came out of the server, \(.fps * 10 | round / 10) a second."' \
        "$folder/probe.json")"
    say "The last one: demo-out/frame.png, $(stat --format %s demo-out/frame.png) bytes."
}

# The page in a browser. It does not decide whether the video works: a browser that cannot run here is only reported.
picture_of_page() {
    own ci/demo.d/picture.py "http://127.0.0.1:$http_port/" demo-out/page.jpg 2>"$folder/page.log" &
    picture=$!
    children+=("$picture")
    if until_true "Page: its video plays in chromium" 150 picture_taken; then
        say "The page: demo-out/page.jpg, $(stat --format %s demo-out/page.jpg) bytes."
    else
        note "$(tail -n 1 "$folder/page.log")"
    fi
}
picture_taken() { ! alive "$picture" || return 1; wait "$picture" || return 2; }
