#!/usr/bin/env bash
# How much communication the backward pass hides on a slow network: 4 ranks in two network namespaces ("nodes") over a
# link shaped to 1 Gbit/s. Needs root, ip and tc.
#
#   benchmarks/overlap.sh BUILD [BATCH_A_RANK] [MBIT] > benchmarks/results/overlap.md
#
# The batch is chosen so that sending the gradients takes about a third of a step. The first three steps of every run do
# not overlap: they measure what the exchange takes alone. hidden = 1 - time waited for gradients / that time.
set -euo pipefail
build=$(cd "$1" && pwd)
batch=${2:-10}
mbit=${3:-1000}
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMP_NUM_THREADS=1
work=$(mktemp -d)
cleanup() { ip netns del masksc1 2>/dev/null || true; ip netns del masksc2 2>/dev/null || true; rm -rf "$work"; }
trap cleanup EXIT
cleanup && mkdir -p "$work"

ip netns add masksc1 && ip netns add masksc2
ip link add masksc-a netns masksc1 type veth peer name masksc-b netns masksc2
for end in "masksc1 masksc-a 10.77.0.1" "masksc2 masksc-b 10.77.0.2"; do
  read -r space device address <<<"$end"
  ip -n "$space" addr add "$address/24" dev "$device"
  ip -n "$space" link set lo up
  ip -n "$space" link set "$device" up
  ip netns exec "$space" tc qdisc add dev "$device" root tbf rate "${mbit}mbit" burst 256kb latency 50ms
done

# mpirun "logs in" to a node by entering its namespace, under a host name of its own.
cat >"$work/enter" <<'SH'
#!/usr/bin/env bash
host=$1; shift
case $host in 10.77.0.1) space=masksc1 ;; *) space=masksc2 ;; esac
exec ip netns exec "$space" unshare --uts bash -c "hostname $space; $*"
SH
chmod +x "$work/enter"

run() {
  ip netns exec masksc1 unshare --uts bash -c "hostname masksc1; exec mpirun -np 4 --host 10.77.0.1:2,10.77.0.2:2 \
    --mca plm_rsh_agent $work/enter --mca btl tcp,vader,self --mca btl_tcp_if_include 10.77.0.0/24 \
    --mca oob_tcp_if_include 10.77.0.0/24 --oversubscribe --bind-to none -x OMP_NUM_THREADS \
    $build/bin/benchmark_step --threads 1 --batch $batch --steps 12 --warmup 3 $*"
}

echo "Command: \`benchmarks/overlap.sh $*\`, $(date -u +%F), $(nproc --all) cores ($(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2- | xargs)), commit $(git -C "$(dirname "$0")" describe --always --dirty); link $mbit Mbit/s, 4 ranks on two cores, $batch cells a rank."
echo
echo "| buckets | ms a step | exchange alone, ms | waited, ms | hidden |"
echo "|---|---|---|---|---|"
for bucket in 0 1 4 100; do
  run --bucket-mib "$bucket" 2>"$work/errors" | python3 -c "
import json, sys
d = json.loads([l for l in sys.stdin if l.startswith('{')][-1])
print('| $([ "$bucket" = 0 ] && echo default || echo "$bucket MiB") | %.0f | %.0f | %.0f | %.0f %% |' % (d['ms_per_step'], d['exchange_alone_ms'], d['ms']['exposed'], 100 * d['hidden']))" ||
    { cat "$work/errors" >&2; exit 1; }
done
