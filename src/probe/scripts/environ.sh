# Prints argv of the Dynamo process of the container, and those of its variables whose names start with one of the
# arguments. Reads only. Values of all other variables never leave the container.
LC_ALL=C
export LC_ALL
begin() { printf '\n@@ %s\n' "$1"; }
end() { printf '\n@@= %s\n' "$1"; }

begin access
if ! command -v tr >/dev/null 2>&1; then end missing; exit 0; fi
# The process that runs `dynamo.…`; a wrapper (`sh -c`, `mpirun`, `tini`) counts only when there is no other. The first
# of several is the parent of its workers.
found=
wrapper=
for file in /proc/[0-9]*/cmdline; do
  pid=${file#/proc/}
  pid=${pid%/cmdline}
  words=$(tr '\n\0' ' \n' <"$file" 2>/dev/null) || continue
  first=${words%%
*}
  case $words in
    *'-m
dynamo.'*)
      case ${first##*/} in
        python*) [ -z "$found" ] && found=$pid || { [ "$pid" -lt "$found" ] && found=$pid; } ;;
        *) wrapper=$pid ;;
      esac
      ;;
  esac
done
kind=dynamo
pid=$found
if [ -z "$pid" ]; then
  pid=${wrapper:-1}
  kind=first
fi
printf 'pid\t%s\nkind\t%s\n' "$pid" "$kind"
if ( : <"/proc/$pid/environ" ) 2>/dev/null; then end 0; else printf 'denied\t/proc/%s/environ\n' "$pid"; end 1; fi

begin argv
if [ -r "/proc/$pid/cmdline" ]; then
  tr '\n\0' ' \n' <"/proc/$pid/cmdline" 2>/dev/null | while IFS= read -r word; do printf 'arg\t%s\n' "$word"; done
fi
end 0

begin environ
if ( : <"/proc/$pid/environ" ) 2>/dev/null; then
  tr '\n\0' ' \n' <"/proc/$pid/environ" 2>/dev/null | while IFS= read -r entry; do
    name=${entry%%=*}
    for prefix in "$@"; do
      case $name in "$prefix"*) printf '%s\n' "$entry"; break ;; esac
    done
  done
fi
end 0
