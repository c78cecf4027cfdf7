# shellcheck shell=bash
# Output of scripts: colours and a spinner on a terminal, plain lines elsewhere. To be sourced.

if [ -t 1 ] && [ "${TERM:-dumb}" != dumb ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m' wipe=$'\r\e[K'
else
    bold='' dim='' red='' green='' plain='' wipe=''
fi

heading() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
say() { printf '%s\n' "$*"; }
note() { printf '%s%s%s\n' "$dim" "$*" "$plain"; }
well() { printf '%s%s%s\n' "$green" "$*" "$plain"; }
complain() { printf '%s%s%s\n' "$red" "$*" "$plain" >&2; }

# until_true WHAT LIMIT COMMAND...: waits until COMMAND succeeds. Returns 1 when LIMIT seconds pass first, 2 when COMMAND
# returns 2, which means that it never will.
until_true() {
    local what=$1 limit=$2 began=$SECONDS turn=0 marks="-+*+" result
    shift 2
    [ -n "$wipe" ] || say "$what ..."
    while true; do
        result=0
        "$@" || result=$?
        if [ "$result" = 0 ]; then
            printf '%s' "$wipe"
            say "$what: done after $((SECONDS - began)) s"
            return 0
        fi
        if [ "$result" = 2 ] || [ $((SECONDS - began)) -ge "$limit" ]; then
            printf '%s' "$wipe"
            complain "$what: not after $((SECONDS - began)) s"
            [ "$result" = 2 ] || result=1
            return "$result"
        fi
        if [ -n "$wipe" ]; then
            printf '%s%s %s (%s s)' "$wipe" "${marks:turn++%4:1}" "$what" "$((SECONDS - began))"
        fi
        sleep 0.2
    done
}
