# Prints what a node offers for KV transfer. Reads only; needs no more than a POSIX shell.
# Each section starts with a line `@@ NAME` and ends with `@@= STATUS`; one without an end was cut short.
LC_ALL=C
export LC_ALL
begin() { printf '\n@@ %s\n' "$1"; }
end() { printf '\n@@= %s\n' "$1"; }
# One line of a file as `path<TAB>line`; `path<TAB>!denied` when it may not be read.
line() {
  [ -e "$1" ] || return 0
  if IFS= read -r text 2>/dev/null <"$1" || [ -n "$text" ]; then
    printf '%s\t%s\n' "$1" "$text"
  elif [ ! -r "$1" ]; then
    printf '%s\t!denied\n' "$1"
  else
    printf '%s\t\n' "$1"
  fi
}
exists() { for path in "$@"; do [ -e "$path" ] && printf '%s\n' "$path"; done; return 0; }
# Lines of a file that start with one of the words.
grep_file() {
  file=$1; shift
  [ -e "$file" ] || { printf '!absent\n'; return 0; }
  [ -r "$file" ] || { printf '!denied\n'; return 0; }
  while IFS= read -r text; do
    for word in "$@"; do
      case $text in *"$word"*) printf '%s\n' "$text"; break ;; esac
    done
  done <"$file"
}
# A tool with at most ten seconds.
tool() {
  begin "$1"; shift
  if ! command -v "$1" >/dev/null 2>&1; then end missing; return 0; fi
  if command -v timeout >/dev/null 2>&1; then
    timeout 10 "$@" 2>&1 </dev/null
    end $?
  else
    "$@" 2>&1 </dev/null &
    pid=$!
    ( sleep 10; kill -9 $pid ) >/dev/null 2>&1 </dev/null &
    watch=$!
    wait $pid
    code=$?
    kill $watch 2>/dev/null
    end $code
  fi
}

begin infiniband
for device in /sys/class/infiniband/*; do
  [ -e "$device" ] || continue
  printf '%s\n' "$device"
  line "$device/node_type"; line "$device/fw_ver"; line "$device/hca_type"; line "$device/board_id"
  for net in "$device"/device/net/*; do [ -e "$net" ] && printf '%s\tnet\n' "$net"; done
  for port in "$device"/ports/*; do
    [ -e "$port" ] || continue
    for file in state phys_state link_layer rate lid; do line "$port/$file"; done
  done
done
end 0

begin devices
exists /dev/infiniband/* /dev/gdrdrv /dev/nvidia-caps-imex-channels/* /dev/nvidia[0-9]* /dev/nvidiactl
end 0

begin modules
for module in nvidia_peermem nv_peer_mem gdrdrv nvidia mlx5_ib efa nvidia_fs; do
  [ -e "/sys/module/$module" ] && printf '/sys/module/%s\n' "$module"
done
line /sys/module/nvidia_peermem/version
line /sys/module/nv_peer_mem/version
line /sys/kernel/mm/memory_peers/nv_mem/version
line /proc/driver/nvidia/version
line /proc/sys/kernel/osrelease
end 0

begin lsmod
grep_file /proc/modules nvidia nv_peer_mem gdrdrv mlx5 efa ib_uverbs
end 0

begin limits
for process in 1 self; do
  if [ -r "/proc/$process/limits" ]; then
    printf '/proc/%s/limits\n' "$process"
    grep_file "/proc/$process/limits" 'Max locked memory'
  fi
done
end 0

begin capabilities
for process in 1 self; do
  if [ -r "/proc/$process/status" ]; then
    printf '/proc/%s/status\n' "$process"
    grep_file "/proc/$process/status" CapEff CapBnd
  fi
done
end 0

begin shm
grep_file /proc/mounts ' /dev/shm '
command -v df >/dev/null 2>&1 && df -Pk /dev/shm 2>&1
end 0

begin interfaces
for net in /sys/class/net/*; do
  [ -e "$net" ] || continue
  printf '%s\n' "$net"
  line "$net/operstate"; line "$net/type"
done
end 0

tool nvidia-smi nvidia-smi --query-gpu=index,name,driver_version --format=csv,noheader
tool topology nvidia-smi topo -m
tool ibstat ibstat
tool ibv_devinfo ibv_devinfo
tool fi_info fi_info -p efa -t FI_EP_RDM
begin done
end 0
