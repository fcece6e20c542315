//! `openline completions` and `openline man`: what is made of the arguments' own descriptions.

use std::fs;
use std::io;

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use crate::args::{Args, CompletionsArgs, ManArgs};
use crate::failure::{Failure, Outcome};
use crate::line::Ending;
use crate::output::print;

pub(crate) fn completions(args: &CompletionsArgs) -> Outcome<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), NAME, &mut script);
    print(&[&script]).or_else(Ending::into_outcome)
}

pub(crate) fn man(args: &ManArgs) -> Outcome<()> {
    let fail = Failure::system("write the manual");
    let mut command = Args::command().disable_help_subcommand(true);
    command.build(); // which gives subcommands their whole names
    let Some(directory) = &args.directory else {
        let (_, page) = page(&command).map_err(fail)?;
        return print(&[page.as_bytes()]).or_else(Ending::into_outcome);
    };
    let subcommands = command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set());
    let write = |command: &Command| {
        let (file, page) = page(command)?;
        fs::write(directory.join(file), page)
    };
    fs::create_dir_all(directory)
        .and_then(|()| write(&command))
        .and_then(|()| subcommands.into_iter().try_for_each(write))
        .map_err(fail)
}

/// The page of a command, and the name of its file.
fn page(command: &Command) -> io::Result<(String, String)> {
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render(&mut page)?;
    let page = String::from_utf8(page).map_err(io::Error::other)?;
    // What stands below the options of --help is laid out in lines, with examples.
    let page = match page.split_once(".SH EXTRA\n") {
        None => page,
        Some((head, tail)) => {
            let (lines, rest) = tail.split_once("\n.SH ").unwrap_or((tail.trim_end(), ""));
            let rest = if rest.is_empty() { String::new() } else { format!(".SH {rest}") };
            format!("{head}.SH NOTES\n.nf\n{lines}\n.fi\n{rest}")
        }
    };
    Ok((man.get_filename(), page))
}

const NAME: &str = "openline";
