#!/usr/bin/env bash
# The simulator's word against a real kernel's: clients in one network namespace, `server_tokio` in another, and between them
# loss, delay and cuts. Linux, as root; needs iproute2 and nftables, and netem where delay is asked for.
#
#   crates/bench/benches/quality/network.sh [CLIENTS]
#
# Prints, for each case, what happened and what the simulator says of the same settings. Nothing is asserted: compare.
set -euo pipefail
cd "$(dirname "$0")/../../../.."

CLIENTS=${1:-20}
INTERVAL=1 TIMEOUT=2
# Alive this long before the cut, in seconds.
LIVE=60
SETTINGS="interval=${INTERVAL}s timeout=${TIMEOUT}s write_timeout=${TIMEOUT}s"
A=liveness-a B=liveness-b
WORK=$(mktemp -d)

skip() {
    echo "skipped: $1"
    exit 0
}
[ "$(id -u)" = 0 ] || skip "network namespaces need root"
command -v ip >/dev/null && command -v tc >/dev/null || skip "iproute2 is missing: apt-get install iproute2"
command -v nft >/dev/null || skip "nftables is missing: apt-get install nftables"
ip netns add "$A" 2>/dev/null || skip "this system gives no network namespace"

cleanup() {
    trap - EXIT
    for namespace in "$A" "$B"; do
        ip netns pids "$namespace" 2>/dev/null | xargs -r kill -9 2>/dev/null || true
        ip netns del "$namespace" 2>/dev/null || true
    done
    rm -rf "$WORK"
}
trap cleanup EXIT

ip netns add "$B"
ip link add "$A" type veth peer name "$B"
for end in "$A 10.99.0.1" "$B 10.99.0.2"; do
    read -r name address <<<"$end"
    ip link set "$name" netns "$name"
    ip -n "$name" address add "$address/24" dev "$name"
    ip -n "$name" link set "$name" up
    ip -n "$name" link set lo up
    # Filled in by a case: what arrives at this end is dropped where it comes in, so that the sender's kernel knows nothing.
    ip netns exec "$name" nft 'add table inet weather; add chain inet weather in { type filter hook input priority 0; }'
done

cargo build --quiet --release -p liveness-servers --bin server_tokio --bin client
cargo build --quiet --release -p liveness-bench --bench quality
BUILT=${CARGO_TARGET_DIR:-target}/release
SERVER=$BUILT/server_tokio CLIENT=$BUILT/client

drop() { # NAMESPACE PERCENT: of what arrives there
    ip netns exec "$1" nft flush chain inet weather in
    case $2 in
        0) ;;
        100) ip netns exec "$1" nft 'add rule inet weather in ip saddr 10.99.0.0/24 drop' ;;
        *) ip netns exec "$1" nft "add rule inet weather in ip saddr 10.99.0.0/24 numgen random mod 100 < $2 drop" ;;
    esac
}

# case NAME LOSS CUT [NETEM...]: CUT is `both`, `to-server` or `to-client`.
case_() {
    local name=$1 loss=$2 cut=$3 latency=0.0001 jitter=0.0001
    shift 3
    if [ $# -gt 0 ]; then
        for namespace in "$A" "$B"; do
            if ! ip netns exec "$namespace" tc qdisc replace dev "$namespace" root netem "$@" 2>/dev/null; then
                printf '%-34s skipped: this kernel has no netem\n' "$name"
                return
            fi
        done
        latency=$(awk -v ms="${2%ms}" 'BEGIN { print ms / 1000 }') jitter=$(awk -v ms="${3%ms}" 'BEGIN { print ms / 1000 }')
    fi
    local lines=$WORK/lines
    ip netns exec "$A" "$SERVER" --listen 10.99.0.1:9999 --interval "${INTERVAL}s" --timeout "${TIMEOUT}s" 2>"$WORK/said" |
        while IFS= read -r line; do printf '%s %s\n' "$EPOCHREALTIME" "$line"; done >"$lines" &
    disown
    local looks=0
    until grep -q listening "$WORK/said"; do
        sleep 0.05
        if ((++looks == 200)); then
            echo "the server does not listen:" >&2
            cat "$WORK/said" >&2
            exit 1
        fi
    done
    local client
    for ((client = 0; client < CLIENTS; client++)); do
        # Comes again when it was let go. Its own patience is no part of this.
        ip netns exec "$B" bash -c "while true; do '$CLIENT' ws://10.99.0.1:9999/ interval=never < <(sleep infinity); sleep 0.2; done" \
            >/dev/null 2>&1 &
        disown
        # Not all in one phase.
        sleep "0.$((RANDOM % 100 + 100))"
    done
    drop "$A" "$loss"
    drop "$B" "$loss"
    sleep "$LIVE"
    local cut_at=$EPOCHREALTIME
    [ "$cut" = to-client ] || drop "$A" 100
    [ "$cut" = to-server ] || drop "$B" 100
    sleep $((3 * TIMEOUT + INTERVAL + 4))
    awk -v name="$name" -v cut="$cut_at" -v clients="$CLIENTS" -v live="$LIVE" '
        $3 == "offline" && $1 < cut { early++ }
        $3 == "offline" && $1 >= cut { late[n++] = $1 - cut; sum += $1 - cut; if ($1 - cut > most) most = $1 - cut }
        END {
            printf "%-34s closes an hour %.2f; %d found after %.2f s on average, all within %.2f\n", \
                name, early / (clients * live / 3600), n, n ? sum / n : 0, most
        }' "$lines"
    ip netns pids "$A" | xargs -r kill -9
    ip netns pids "$B" | xargs -r kill -9
    drop "$A" 0
    drop "$B" 0
    for namespace in "$A" "$B"; do
        ip netns exec "$namespace" tc qdisc del dev "$namespace" root 2>/dev/null || true
    done
    printf '%34s %s\n' "the simulator:" "$(cargo bench --quiet -p liveness-bench --bench quality -- --predict "$SETTINGS" \
        --latency "$latency" --jitter "$jitter" --loss "$(awk -v loss="$loss" 'BEGIN { print loss / 100 }')")"
}

case_ "nothing amiss, cut both ways" 0 both
case_ "cut towards the server" 0 to-server
case_ "cut towards the clients" 0 to-client
case_ "5 % lost" 5 both
case_ "15 % lost" 15 both
case_ "30 % lost" 30 both
case_ "100 ms more each way" 0 both delay 100ms 20ms
case_ "100 ms, and a tenth reordered" 0 both delay 100ms 20ms reorder 90% 50%
