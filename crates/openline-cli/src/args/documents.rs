//! The arguments of `openline completions` and `openline man`.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

/// Print a script with which a shell completes the command.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompletionsArgs {
    pub(crate) shell: Shell,
}

/// Print the manual page of the command, or write those of all commands to a directory.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Where to write the pages: openline.1, openline-connect.1 and so on.
    pub(crate) directory: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  source <(openline completions bash)                               for this shell
  openline completions fish >~/.config/fish/completions/openline.fish
  openline completions zsh >~/.zfunc/_openline                      with ~/.zfunc in $fpath";
