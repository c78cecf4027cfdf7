# shellcheck shell=bash disable=SC2154
# Steps of a check. A step that fails does not stop the next ones, so that one run shows everything; steps that wait run in
# parallel with steps that compute; a summary ends it. To be sourced after terminal.sh.

summary=()
skips=()
failed=false
began_all=$SECONDS
# The parallel steps: their process, name, beginning and log.
beside_processes=() beside_names=() beside_logs=()
beside_folder=''

# ended NAME SECONDS RESULT: records a step's end.
ended() {
    local outcome="${green}ok    $plain"
    if [ "$3" != 0 ]; then
        outcome="${red}FAILED$plain"
        failed=true
    fi
    summary+=("$outcome $(printf '%4s s' "$2")  $1")
    note "$1: $2 s"
}

# step NAME COMMAND...
step() {
    local name=$1 began=$SECONDS result=0
    shift
    heading "$name"
    "$@" || result=$?
    ended "$name" $((SECONDS - began)) $result
}

# skip NAME WHY: a step that is left out, and reported. In CI, nothing that a machine could have may be skipped.
skip() {
    heading "$1"
    say "skipped: $2"
    skips+=("$1: $2")
}

# beside NAME COMMAND...: a step that runs in parallel with those that follow. Its output is shown by `together`.
beside() {
    local name=$1 log
    shift
    [ -n "$beside_folder" ] || beside_folder=$(mktemp -d)
    log=$beside_folder/${#beside_names[@]}
    note "beside what follows: $name"
    (
        began=$SECONDS result=0
        "$@" >"$log" 2>&1 </dev/null || result=$?
        echo "$((SECONDS - began)) $result" >"$log.end"
    ) &
    beside_processes+=($!) beside_names+=("$name") beside_logs+=("$log")
}

# together: waits for the parallel steps, and shows their output.
together() {
    local number seconds result
    for number in "${!beside_names[@]}"; do
        [ ! -e "${beside_logs[number]}.end" ] && note "waiting for: ${beside_names[number]}"
        wait "${beside_processes[number]}" || true
        heading "${beside_names[number]}"
        cat "${beside_logs[number]}"
        read -r seconds result <"${beside_logs[number]}.end" || { seconds=0 result=1; }
        ended "${beside_names[number]}" "$seconds" "$result"
    done
    beside_processes=() beside_names=() beside_logs=()
    [ -z "$beside_folder" ] || rm -rf "$beside_folder"
    beside_folder=''
}

# summarize: prints what was done, how long it took, what was left out; fails when a step did.
summarize() {
    heading "Summary"
    printf '%s\n' "${summary[@]}"
    printf '%s %4s s  %s\n' '      ' $((SECONDS - began_all)) "all of it"
    if [ ${#skips[@]} -gt 0 ]; then
        printf 'skipped         %s\n' "${skips[@]}"
    fi
    if $failed; then
        complain "Something failed; see above."
        return 1
    fi
    well "All well."
}
