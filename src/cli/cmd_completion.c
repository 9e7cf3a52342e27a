#include "base/error.h"
#include "cli/commands.h"
#include "cli/complete.h"
#include "cli/table.h"

#include <stdio.h>
#include <string.h>

/* Each script asks varve for candidates (complete.h), so that it works with every version. */

/* A word may be parted at = and :, which are word breaks of bash: those that adjoin are put
 * together again, and of a candidate bash wants what is behind the last break. */
static const char bash_script[] =
    "# Completion of varve for bash; written by: varve completion bash\n"
    "_varve() {\n"
    "    local line=$COMP_LINE rest i word kept option words=()\n"
    "    for ((i = 0; i <= COMP_CWORD; i++)); do\n"
    "        rest=${line#\"${line%%[![:space:]]*}\"}\n"
    "        if ((i > 0)) && [[ $rest == \"$line\" ]]; then\n"
    "            words[${#words[@]} - 1]+=${COMP_WORDS[i]}\n"
    "        else\n"
    "            words+=(\"${COMP_WORDS[i]}\")\n"
    "        fi\n"
    "        line=${rest#\"${COMP_WORDS[i]}\"}\n"
    "    done\n"
    "    word=${words[${#words[@]} - 1]}\n"
    "    kept=$word\n"
    "    [[ $COMP_WORDBREAKS != *=* ]] || kept=${kept##*=}\n"
    "    [[ $COMP_WORDBREAKS != *:* ]] || kept=${kept##*:}\n"
    "    COMPREPLY=()\n"
    "    while IFS= read -r line; do\n"
    "        line=${line%%$'\\t'*}\n"
    "        case $line in\n"
    "        :files | :dirs)\n"
    "            option=\n"
    "            [[ $word != --*=* ]] || option=${word%%=*}=\n"
    "            compopt -o filenames 2>/dev/null\n"
    "            if [[ $line == :dirs ]]; then i=-d; else i=-f; fi\n"
    "            while IFS= read -r rest; do\n"
    "                rest=$option$rest\n"
    "                COMPREPLY+=(\"${rest:${#word} - ${#kept}}\")\n"
    "            done < <(compgen \"$i\" -- \"${word#\"$option\"}\")\n"
    "            ;;\n"
    "        *) COMPREPLY+=(\"${line:${#word} - ${#kept}}\") ;;\n"
    "        esac\n"
    "    done < <(\"${words[0]/#\\~/$HOME}\" completion candidates -- \"${words[@]:1}\" "
    "2>/dev/null)\n"
    "}\n"
    "complete -F _varve varve\n";

static const char zsh_script[] =
    "#compdef varve\n"
    "# Completion of varve for zsh; written by: varve completion zsh\n"
    "_varve() {\n"
    "    local -a found\n"
    "    local line kind\n"
    "    while IFS= read -r line; do\n"
    "        case $line in\n"
    "        :files) kind=files ;;\n"
    "        :dirs) kind=dirs ;;\n"
    "        *$'\\t'*) found+=(\"${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}\") ;;\n"
    "        *) found+=(\"${line//:/\\\\:}\") ;;\n"
    "        esac\n"
    "    done < <(\"${(Q)words[1]/#\\~/$HOME}\" completion candidates -- "
    "\"${(@Q)words[2,CURRENT-1]}\" "
    "\"${(Q)PREFIX}\" 2>/dev/null)\n"
    "    if [[ -n $kind ]]; then\n"
    "        compset -P '--*='\n"
    "        if [[ $kind == dirs ]]; then _files -/; else _files; fi\n"
    "    fi\n"
    "    (( ${#found} == 0 )) || _describe varve found\n"
    "}\n"
    "if [[ $funcstack[1] == _varve ]]; then _varve \"$@\"; else compdef _varve varve; fi\n";

static const char fish_script[] =
    "# Completion of varve for fish; written by: varve completion fish\n"
    "function __varve_complete\n"
    "    set -l words (commandline -opc) (commandline -ct)\n"
    "    set -l program (string replace -r '^~' $HOME -- $words[1])\n"
    "    set -l word $words[-1]\n"
    "    set -l option (string match -r -- '^--[^=]*=' $word)\n"
    "    set -l path (string replace -r -- '^--[^=]*=' '' $word)\n"
    "    for line in ($program completion candidates -- $words[2..-1] 2>/dev/null)\n"
    "        switch $line\n"
    "            case :files\n"
    "                printf \"$option%s\\n\" (__fish_complete_path $path)\n"
    "            case :dirs\n"
    "                printf \"$option%s\\n\" (__fish_complete_directories $path)\n"
    "            case '*'\n"
    "                printf '%s\\n' $line\n"
    "        end\n"
    "    end\n"
    "end\n"
    "complete -c varve -f -a '(__varve_complete)'\n";

static void print_script(const char *shell, GError **err)
{
    static const struct {
        const char *shell, *script;
    } scripts[] = {{"bash", bash_script}, {"zsh", zsh_script}, {"fish", fish_script}};
    for (guint i = 0; i < G_N_ELEMENTS(scripts); i++)
        if (g_str_equal(scripts[i].shell, shell)) {
            fputs(scripts[i].script, stdout);
            return;
        }
    error_set(err, VARVE_ERROR_USAGE, "varve completion: %s is not bash, zsh or fish", shell);
    error_add_next(err, "for example: source <(varve completion bash)");
}

int cmd_completion(const struct command *c, int argc, char **argv, GError **err)
{
    /* What the scripts call; before options are parsed: the words are another command line's. */
    if (argc > 3 && g_str_equal(argv[1], "candidates") && g_str_equal(argv[2], "--")) {
        complete_print(commands, argv + 3);
        return 0;
    }
    if (command_begin(c, NULL, &argc, &argv, 1, 1, err))
        print_script(argv[1], err);
    return 0;
}
