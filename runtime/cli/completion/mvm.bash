# Completion of mvm for bash, 3.2 or later. It asks mvm what fits: `mvm __complete WORD...`.
#
# shellcheck shell=bash

# Bash splits words at ":" and "=" too; prints what was typed, up to the cursor, a word a line.
__mvm_words() {
  local line=${COMP_LINE:0:COMP_POINT} word='' i
  for ((i = 0; i <= COMP_CWORD; i++)); do
    local piece=${COMP_WORDS[i]}
    # The part of the last word that is behind the cursor does not count.
    while [ -n "$piece" ] && [[ $line != "$piece"* ]]; do piece=${piece%?}; done
    word=$word$piece line=${line#"$piece"}
    if [ "$i" = "$COMP_CWORD" ] || [[ $line == [[:space:]]* ]]; then
      printf '%s\n' "$word"
      word='' line=${line#"${line%%[![:space:]]*}"}
    fi
  done
}

_mvm() {
  local words=() word line directive=4 typed prefix='' program=mvm
  COMPREPLY=()
  while IFS= read -r word; do
    # What is quoted is meant as it is read.
    word=${word//[\"\'\\]/}
    words+=("$word")
  done < <(__mvm_words)
  typed=${words[${#words[@]} - 1]}
  # The one that is typed with its folder; else, under whatever name, the one of PATH.
  case ${words[0]} in */mvm) program=${words[0]/#\~\//$HOME/} ;; esac
  # Only what follows the last of its separators is replaced by bash.
  case $typed in *[:=]*)
    if [[ $COMP_WORDBREAKS == *:* ]]; then prefix=${typed%"${typed##*[:=]}"}; else prefix=${typed%"${typed##*=}"}; fi ;;
  esac
  while IFS= read -r line; do
    case $line in
      :[0-9]*) directive=${line#:} ;;
      *) line=${line%%$'\t'*} COMPREPLY+=("${line#"$prefix"}") ;;
    esac
  done < <("$program" __complete "${words[@]:1}" 2>/dev/null)
  if ((directive & 2)) && type compopt >/dev/null 2>&1; then compopt -o nospace; fi
  if ! ((directive & 4)); then
    # Bash would quote the colon of "container:" as one of a file's name.
    if [ ${#COMPREPLY[@]} = 0 ] && type compopt >/dev/null 2>&1; then compopt -o filenames; fi
    while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "${typed#"$prefix"}")
  fi
}

complete -F _mvm mvm
