# zsh in a terminal of its own: `sa` and the tabulator must become `sarif`. Usage: completions.zsh DIRECTORY
zmodload zsh/zpty || exit 1
zpty shell env TERM=dumb zsh -f -i
said() { local text= part; until [[ $text == *$1* ]]; do zpty -r -t shell part && text+=$part || sleep 0.05; done; print -r -- $text }
zpty -w shell "PS1=; fpath=($1/functions \$fpath); autoload -Uz compinit; compinit -u -d $1/dump; print REA''DY"
said READY > /dev/null
for line in 'dynlint check --format sa:--format sarif' 'dynlint basel:dynlint baseline' 'dynlint completions power:powershell'; do
  zpty -w -n shell "${line%%:*}"$'\t'
  said "${line#*:}" > /dev/null
  zpty -w -n shell $'\x15'
done
zpty -d shell
print "zsh: completes formats, commands and values"
