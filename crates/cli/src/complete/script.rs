//! The script for each shell.

use std::fmt::Write;

use super::Candidate;

/// A shell that completes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Shell {
    /// GNU bash, 4.4 or newer.
    Bash,
    /// Z shell.
    Zsh,
    /// Fish, 3.1 or newer.
    Fish,
}

/// All shells.
pub const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

const BASH: &str = r#"_FUNCTION() {
    local typed="${COMP_LINE:0:COMP_POINT}" breaks="${COMP_WORDBREAKS//[^:=@]/}" piece value
    # bash puts in place only what stands after the last of these characters.
    piece="${typed##*[[:space:]]}"
    local start=""
    if [[ -n $breaks && $piece == *[$breaks]* ]]; then
        start="${piece%"${piece##*[$breaks]}"}"
    fi
    COMPREPLY=()
    while IFS= read -r value; do
        [[ -e $value ]] && compopt -o filenames 2> /dev/null
        [[ $value == */ ]] && compopt -o nospace 2> /dev/null
        COMPREPLY+=("${value#"$start"}")
    done < <(DDB_COMPLETE=bash DDB_COMPLETE_LINE="$typed" "$1" 2> /dev/null)
}
complete -o nosort -F _FUNCTION BINARY
"#;

const ZSH: &str = r#"#compdef BINARY
_FUNCTION() {
    local -a found folders typed
    local line
    typed=("${(Q@)words[1,CURRENT]}")
    for line in "${(f)$(DDB_COMPLETE=zsh "${typed[1]}" -- "${(@)typed}" 2> /dev/null)}"; do
        case $line in
            '') ;;
            */) folders+=("$line") ;;
            *) found+=("$line") ;;
        esac
    done
    (( $#found )) && _describe -V 'BINARY' found
    (( $#folders )) && compadd -S '' -- "${(@)folders}"
}
if [ "$funcstack[1]" = "_FUNCTION" ] || [ "$funcstack[1]" = "_BINARY" ]; then
    _FUNCTION "$@"
else
    compdef _FUNCTION BINARY
fi
"#;

const FISH: &str = r#"complete -k -f -c BINARY -a "(DDB_COMPLETE=fish BINARY -- (commandline -opc) (commandline -ct) 2> /dev/null)"
"#;

/// Returns the script that makes a shell complete a binary.
pub fn script(shell: Shell, binary: &str) -> String {
    let script = match shell {
        Shell::Bash => BASH,
        Shell::Zsh => ZSH,
        Shell::Fish => FISH,
    };
    let function = format!("ddb_completes_{}", binary.replace('-', "_"));
    script
        .replace("FUNCTION", &function)
        .replace("BINARY", binary)
}

impl Shell {
    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
        }
    }

    /// Writes a candidate in the form that the script reads.
    pub(super) fn write(self, candidate: &Candidate, text: &mut String) {
        let Candidate { value, about } = candidate;
        // Writing to a String cannot fail.
        let _ = match self {
            Self::Bash => writeln!(text, "{value}"),
            Self::Fish if !about.is_empty() => writeln!(text, "{value}\t{about}"),
            Self::Zsh if !value.ends_with('/') => {
                let value = value.replace('\\', "\\\\").replace(':', "\\:");
                match about.is_empty() {
                    true => writeln!(text, "{value}"),
                    false => writeln!(text, "{value}:{about}"),
                }
            }
            Self::Fish | Self::Zsh => writeln!(text, "{value}"),
        };
    }
}
