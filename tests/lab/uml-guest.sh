#!/bin/bash
# uml-guest.sh - a real second kernel (user-mode Linux, a plain process) whose root is
# THIS machine's "/" over hostfs.  Host-side edits reach the guest the way they reach a
# Docker Desktop VM: visible to stat/read, no inotify in the guest.  It also has what
# this machine's kernel may lack: NFS client and server, virtiofs (modules of Debian's
# user-mode-linux).
#
#   uml-guest.sh up [--mem 512M] [--virtiofs HOSTDIR [--cache auto|never|always|metadata]]
#                       boot (about 2 s); with --virtiofs, HOSTDIR is mounted in
#                       the guest at /run/virtiofs through a real virtiofsd
#   uml-guest.sh exec CMD [ARG...]    run in the guest as root; stdout/stderr and
#                       exit status come back at its end.  cwd is kept.  (125 = no guest)
#   uml-guest.sh nfs    in the guest: export tmpfs /run/nfs-backing by kernel nfsd,
#                       mount it on /run/nfs (options: NFSOPTS, default vers=4.2)
#   uml-guest.sh down   power off, remove state
#
# Needs root and (Debian): user-mode-linux, iproute2, kmod, util-linux, gcc; for `nfs`
# nfs-kernel-server, nfs-common, rpcbind; for --virtiofs the crate virtiofsd (cargo
# install virtiofsd, with libcap-ng-dev and libseccomp-dev), found in PATH or $VIRTIOFSD.
# State: $LAB_STATE/uml (default /var/tmp/stakeout-lab/uml); tests have one each.
# CAUTION: the guest's "/" is the host's "/", writable.  /run, /dev, /proc, /sys, and
# /tmp unless the state lies there, are the guest's own; everything else is shared.
set -u
STATE=${LAB_STATE:-/var/tmp/stakeout-lab}/uml
HERE=$(dirname "$(realpath "$0")")
die() { echo "uml-guest: $*" >&2; exit 125; }
alive() { [ -s "$STATE/pid" ] && kill -0 "$(cat "$STATE/pid")" 2>/dev/null; }

find_vfsd() {   # Debian 12's C virtiofsd sends no tag to a guest without QEMU: useless here
  local c; for c in "${VIRTIOFSD:-}" "$(command -v virtiofsd)" "${HOME:-}/.cargo/bin/virtiofsd" /usr/libexec/virtiofsd; do
    [ -n "$c" ] && [ -x "$c" ] && "$c" --help 2>&1 | grep -q -- '--tag' && { echo "$c"; return 0; }; done; return 1
}
write_init() {
cat > "$STATE/init" <<'G'
#!/bin/bash
S=@STATE@
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t tmpfs run /run
case $S in /tmp/*) ;; *) mount -t tmpfs tmp /tmp;; esac
mountpoint -q /dev || mount -t devtmpfs dev /dev; mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts; mount -t tmpfs shm /dev/shm
ln -sfn /proc/self/fd /dev/fd
mkdir -p /run/m/lib/modules; ln -s /usr/lib/uml/modules/$(uname -r) /run/m/lib/modules/$(uname -r)
ip link set lo up 2>/dev/null
hostname umlguest 2>/dev/null
[ -e $S/want-virtiofs ] && { mkdir -p /run/virtiofs; modprobe -d /run/m virtiofs
  mount -t virtiofs hostshare /run/virtiofs || echo "virtiofs mount failed"; }
cd $S/q
touch ../ready
while :; do
  for j in *.job; do
    [ -e "$j" ] || continue
    n=${j%.job}; mv "$j" "$n.run"
    ( setsid bash "$S/q/$n.run" </dev/null >"$n.out" 2>"$n.err"; echo $? >"$n.rc.tmp"; mv "$n.rc.tmp" "$n.rc" ) &
  done
  [ -e $S/halt ] && { sync; echo o >/proc/sysrq-trigger; sleep 1000; }
  sleep 0.03
done
G
sed -i "s|@STATE@|$STATE|" "$STATE/init"; chmod +x "$STATE/init"
}

up() {
  alive && { echo "already up"; return 0; }
  command -v linux.uml >/dev/null || die "no linux.uml: install user-mode-linux"
  local mem=512M vfs= cache=auto extra=()
  while [ $# -gt 0 ]; do case $1 in
    --mem) mem=$2; shift 2;; --virtiofs) vfs=$(realpath "$2") || die "no $2"; shift 2;;
    --cache) cache=$2; shift 2;; *) die "what is $1?";; esac; done
  rm -rf "$STATE"; mkdir -p "$STATE/q" "$STATE/tmp"; write_init
  # What it does not know: newer processors, and how virtiofsd counts.
  cc -shared -fPIC -O1 -o "$STATE/mended.so" "$HERE/ptrace.c" "$HERE/sendmsg.c" || die "no mended.so"
  if [ -n "$vfs" ]; then
    local vd; vd=$(find_vfsd) || die "no Rust virtiofsd (>= 1.7, for --tag): cargo install virtiofsd"
    touch "$STATE/want-virtiofs"
    setsid "$vd" --socket-path="$STATE/vfs.sock" --shared-dir "$vfs" --tag hostshare \
        --cache "$cache" --sandbox "${VFS_SANDBOX:-chroot}" ${VFS_ARGS:-} >"$STATE/virtiofsd.log" 2>&1 </dev/null &
    echo $! >"$STATE/vfs.pid"
    for _ in $(seq 50); do [ -S "$STATE/vfs.sock" ] && break; sleep 0.05; done
    [ -S "$STATE/vfs.sock" ] || { cat "$STATE/virtiofsd.log" >&2; die "virtiofsd did not start"; }
    extra+=("virtio_uml.device=$STATE/vfs.sock:26")
  fi
  LD_PRELOAD=$STATE/mended.so TMPDIR=$STATE/tmp setsid linux.uml umid=lab uml_dir="$STATE/tmp" mem="$mem" \
     root=/dev/root rootfstype=hostfs rootflags=/ rw quiet \
     con=null con0=null,fd:1 ssl=null "${extra[@]}" init="$STATE/init" \
     >"$STATE/console.log" 2>&1 </dev/null &
  echo $! >"$STATE/pid"
  for _ in $(seq 2400); do [ -e "$STATE/ready" ] && return 0; alive || break; sleep 0.05; done
  tail -20 "$STATE/console.log" >&2; down; die "guest did not boot"
}

gexec() {
  [ $# -gt 0 ] || die "exec what?"
  alive || die "no guest: run '$0 up'"
  local n; n=$(date +%s%N)-$$
  { printf 'cd %q 2>/dev/null || cd /\n' "$PWD"; printf 'exec'; printf ' %q' "$@"; echo; } >"$STATE/q/.$n"
  mv "$STATE/q/.$n" "$STATE/q/$n.job"
  while [ ! -e "$STATE/q/$n.rc" ]; do alive || die "guest died"; sleep 0.03; done
  cat "$STATE/q/$n.err" >&2; cat "$STATE/q/$n.out"
  local rc; rc=$(cat "$STATE/q/$n.rc"); rm -f "$STATE/q/$n".*
  return "$rc"
}

down() {
  [ -d "$STATE" ] || return 0
  if alive; then
    touch "$STATE/halt"
    for _ in $(seq 60); do alive || break; sleep 0.05; done
    alive && kill -KILL -- "-$(cat "$STATE/pid")" 2>/dev/null
  fi
  [ -s "$STATE/vfs.pid" ] && kill "$(cat "$STATE/vfs.pid")" 2>/dev/null
  sleep 0.1; rm -rf "$STATE"; return 0
}

case ${1:-} in
  up) shift; up "$@";;
  exec) shift; gexec "$@";;
  nfs) gexec bash -c "set -e; modprobe -d /run/m nfsd; modprobe -d /run/m nfsv4; modprobe -d /run/m nfsv3
     mkdir -p /run/nfs /run/nfs-backing /run/rpc_pipefs /var/lib/nfs; mount -t tmpfs nfsroot /run/nfs-backing
     mount -t tmpfs nfsvar /var/lib/nfs; mkdir -p /var/lib/nfs/v4recovery /var/lib/nfs/rpc_pipefs; touch /var/lib/nfs/{etab,rmtab,state}
     mount -t nfsd nfsd /proc/fs/nfsd; mkdir -p /run/rpcbind
     rpcbind -w || true; exportfs -o rw,no_root_squash,no_subtree_check,fsid=0,insecure '127.0.0.1:/run/nfs-backing'
     setsid rpc.mountd </dev/null >/dev/null 2>&1 || true
     rpc.nfsd 2
     mount -t nfs -o ${NFSOPTS:-vers=4.2} 127.0.0.1:/ /run/nfs; grep ' /run/nfs ' /proc/mounts";;
  down) down;;
  *) sed -n '2,/^set -u/p' "$0" | sed '/^set -u/d;s/^# \{0,1\}//'; exit 2;;
esac
