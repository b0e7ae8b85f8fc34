// SPDX-License-Identifier: MIT
//! `wasmtime run`, out of the crate of the command line tool: built beside the embedder it takes a minute, where
//! `cargo install wasmtime-cli` takes fifteen.

use clap::Parser;
use wasmtime_cli::commands::RunCommand;

fn main() -> wasmtime::Result<()> {
    let mut words: Vec<_> = std::env::args_os().collect();
    if words.get(1).is_some_and(|word| word == "run") {
        words.remove(1);
    }
    RunCommand::parse_from(words).execute()
}
