#compdef mvm
# Completion of mvm for zsh. It asks mvm what fits: `mvm __complete WORD...`.

_mvm() {
  local line directive=4 program=mvm
  local -a answer shown
  # Names in capitals are found by small letters, too.
  local -a how=(-M 'm:{a-z}={A-Z}')
  # The one that is typed with its folder; else, under whatever name, the one of PATH.
  [[ ${(Q)words[1]} == */mvm ]] && program=${(Q)words[1]/#\~\//$HOME/}
  answer=("${(@f)$($program __complete "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
  for line in $answer; do
    case $line in
      :<->) directive=${line#:} ;;
      # "word:description", colons of the word's own escaped.
      *$'\t'*) shown+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}") ;;
      *) shown+=("${line//:/\\:}") ;;
    esac
  done
  (( directive & 2 )) && how+=(-S '')
  (( $#shown )) && _describe -t candidates mvm shown "${how[@]}"
  (( directive & 4 )) && return
  # The file is what stands behind "--option=".
  [[ $PREFIX == -*=* ]] && compset -P '*='
  _files
}

# Autoloaded from a folder of fpath, or read by source <(mvm completion zsh).
if [[ $funcstack[1] = _mvm ]]; then
  _mvm "$@"
else
  compdef _mvm mvm
fi
