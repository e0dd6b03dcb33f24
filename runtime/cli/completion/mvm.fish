# Completion of mvm for fish. It asks mvm what fits: `mvm __complete WORD...`.

function __mvm_complete
    set -l words (commandline -opc)
    set -l typed (commandline -ct | string unescape)
    # The one that is typed with its folder; else, under whatever name, the one of PATH.
    set -l mvm mvm
    string match -q '*/mvm' -- $words[1]; and set mvm (string replace -r '^~/' "$HOME/" -- $words[1])
    set -l files 0
    for line in ($mvm __complete $words[2..-1] "$typed" 2>/dev/null)
        if string match -qr '^:\d+$' -- $line
            test (math "bitand("(string sub -s 2 -- $line)", 4)") -eq 0; and set files 1
        else
            printf '%s\n' $line
        end
    end
    # The file is what stands behind "--option=".
    if test $files -eq 1
        set -l before (string match -r -- '^-[^=]*=' "$typed")
        for file in (__fish_complete_path (string replace -- "$before" '' "$typed"))
            printf '%s%s\n' "$before" $file
        end
    end
end

complete -c mvm -f -a '(__mvm_complete)'
