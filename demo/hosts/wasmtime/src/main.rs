// SPDX-License-Identifier: MIT
//! Runs a command of WASI 0.2 whose TLS trusts what the embedder says, and whose client certificate is the embedder's.
//!
//!     porthole-wasmtime [--ca FILE]… [--cert FILE --key FILE] [--handles NUMBER] COMPONENT [ARGUMENT]…

mod tls;

use std::process::ExitCode;
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Engine, Result, Store, bail, format_err};
use wasmtime_wasi::p2::bindings::Command;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_tls::{WasiTlsCtx, WasiTlsCtxBuilder, WasiTlsCtxView, WasiTlsView, p2};

/// What a guest has of its own: its handles, and what it may do.
struct Guest {
    table: ResourceTable,
    wasi: WasiCtx,
    tls: WasiTlsCtx,
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiTlsView for Guest {
    fn tls(&mut self) -> WasiTlsCtxView<'_> {
        WasiTlsCtxView { ctx: &mut self.tls, table: &mut self.table }
    }
}

/// What the command line says.
struct Options {
    tls: tls::Options,
    handles: usize, // that a guest has at a time: one more ends it
    command: Vec<String>,
}

fn options() -> Result<Options> {
    let mut tls = tls::Options::default();
    let mut handles = 1000;
    let mut rest = std::env::args().skip(1).peekable();
    while let Some(name) = rest.next_if(|word| word.starts_with("--")) {
        let value = rest.next().ok_or_else(|| format_err!("{name} needs something behind it"))?;
        match name.as_str() {
            "--ca" => tls.authorities.push(value),
            "--cert" => tls.certificate = Some(value),
            "--key" => tls.key = Some(value),
            "--handles" => handles = value.parse()?,
            _ => bail!("there is no option {name}"),
        }
    }
    let command: Vec<String> = rest.collect();
    if command.is_empty() {
        bail!("porthole-wasmtime [--ca FILE]… [--cert FILE --key FILE] [--handles NUMBER] COMPONENT [ARGUMENT]…");
    }
    Ok(Options { tls, handles, command })
}

/// Runs the command. Is it content?
async fn run() -> Result<bool> {
    let Options { tls, handles, command } = options()?;
    let mut table = ResourceTable::new();
    table.set_max_capacity(handles);
    let guest = Guest {
        table,
        wasi: WasiCtx::builder()
            .inherit_stdio()
            .args(&command)
            .inherit_network()
            .allow_tcp(true)
            .allow_ip_name_lookup(true)
            .build(),
        tls: WasiTlsCtxBuilder::new().provider(Box::new(tls::Provider::new(&tls)?)).build(),
    };
    let engine = Engine::default();
    let mut linker = Linker::new(&engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    let mut features = p2::LinkOptions::default();
    features.tls(true); // it is a draft, and off else
    p2::add_to_linker(&mut linker, &features)?;
    let mut store = Store::new(&engine, guest);
    let component = Component::from_file(&engine, &command[0])?;
    let instance = Command::instantiate_async(&mut store, &component, &linker).await?;
    Ok(instance.wasi_cli_run().call_run(&mut store).await?.is_ok())
}

fn main() -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let content = runtime.block_on(run())?;
    Ok(if content { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
