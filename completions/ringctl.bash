# Completion of ringctl, ringmaster, ringworker and ringcatalog for bash. Commands and options are read from their --help, the names of
# queues and workers from a master that answers within a second.

_ringmaster_help () { # WORDS…: the help of a program, or of its command
    "$@" --help 2>/dev/null
}

_ringmaster_options () { # WORDS…
    _ringmaster_help "$@" | sed -n 's/^  \(-., \|    \)\(--[a-z0-9-]*\).*/\2/p'
}

# What a list of the master's has in a member of each of its entries.
_ringctl_names () { # COMMAND MEMBER
    timeout 1 "${_ringctl_call[@]}" "$1" --json 2>/dev/null | grep -o "\"$2\":\"[^\"]*\"" | cut -d '"' -f 4 | sort -u
}

# What may stand for the value of an option; fails if nothing is known of it.
_ringctl_value () { # COMMAND OPTION
    case $2 in
    --queue | -q) _ringctl_names queues name ;;
    --worker | -w) [ "$1" = jobs ] && _ringctl_names workers name ;;
    --state | -s) if [ "$1" = peek ]; then printf '%s\n' waiting delayed dead; else printf '%s\n' waiting delayed held running done dead cancelled expired; fi ;;
    *) return 1 ;;
    esac
}

# What may stand for the command's next argument.
_ringctl_argument () { # COMMAND NUMBER
    case $1.$2 in
    submit.1 | pause.1 | resume.1 | queue.1 | peek.1) _ringctl_names queues name ;;
    drain.1) _ringctl_names workers name ;;
    watch.1) printf '%s\n' sync jobs ;;
    master.1) printf '%s\n' add remove transfer upgrade ;;
    esac
}

# True if the option takes a value, as the help says.
_ringmaster_takes_value () { # OPTION WORDS…
    local option=$1
    shift
    _ringmaster_help "$@" | grep -Eq -- "^  (-., |    )?.*$option [A-Z0-9]"
}

_ringctl () {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command='' count=0 i each words
    local _ringctl_call=("${COMP_WORDS[0]}")
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        each=${COMP_WORDS[i]}
        case $each in
        --master | -m)
            [ $((i + 1)) -lt "$COMP_CWORD" ] && _ringctl_call+=(--master "$(_ringctl_endpoint $((i + 1)))")
            i=$(_ringctl_behind_endpoint $((i + 1)))
            ;;
        -*) _ringmaster_takes_value "$each" "${COMP_WORDS[0]}" ${command:+"$command"} && i=$((i + 1)) ;;
        *) if [ -z "$command" ]; then command=$each; else count=$((count + 1)); fi ;;
        esac
    done
    if words=$(_ringctl_value "$command" "$before"); then
        :
    elif [[ $word == -* ]]; then
        words=$(_ringmaster_options "${COMP_WORDS[0]}" ${command:+"$command"})
    elif [ -z "$command" ]; then
        words=$(_ringmaster_help "${COMP_WORDS[0]}" | sed -n '/^Commands:$/,/^$/ s/^  \([a-z]*\) .*/\1/p')
    else
        words=$(_ringctl_argument "$command" $((count + 1)))
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

# bash takes an endpoint apart at its colons: its words from number FROM on, put together; and the number of the last.
_ringctl_endpoint () { # FROM
    local i last
    last=$(_ringctl_behind_endpoint "$1")
    for ((i = $1; i <= last; i++)); do printf '%s' "${COMP_WORDS[i]}"; done
}
_ringctl_behind_endpoint () { # FROM
    local i=$1
    while [[ ${COMP_WORDS[i + 1]-} == : ]] && [ $((i + 2)) -lt "$COMP_CWORD" ]; do i=$((i + 2)); done
    echo "$i"
}

_ringmaster () {
    local word=${COMP_WORDS[COMP_CWORD]}
    COMPREPLY=()
    [[ $word == -* ]] && mapfile -t COMPREPLY < <(compgen -W "$(_ringmaster_options "${COMP_WORDS[0]}")" -- "$word")
}

complete -F _ringctl -o default ringctl
complete -F _ringmaster -o default ringmaster ringworker ringcatalog
