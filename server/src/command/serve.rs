//! `strowger serve`: calls until SIGTERM or SIGINT, then a drain; a second signal ends at once.

use std::process::ExitCode;

use base::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{failed, wrongly_asked};
use crate::cli::Serve;
use crate::config::Config;
use crate::node::{Node, StartFault};
use crate::provision::Bundle;

pub(super) fn run(args: &Serve) -> ExitCode {
    let config = match &args.config {
        Some(path) => Config::load(path),
        None => Config::embedded(),
    };
    let config = match config {
        Ok(config) => config,
        Err(fault) => return wrongly_asked(&fault),
    };
    if let Err(error) = crate::logs::start(&config.log) {
        return failed(&error);
    }
    let bundle = match args.apply.as_deref().map(Bundle::read).transpose() {
        Ok(bundle) => bundle,
        Err(fault) => return wrongly_asked(&fault),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(serve(config, bundle, args.json)),
        Err(error) => failed(&error),
    }
}

async fn serve(config: Config, bundle: Option<Bundle>, json: bool) -> ExitCode {
    let (mut terminate, mut interrupt) =
        match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
            (Ok(terminate), Ok(interrupt)) => (terminate, interrupt),
            (Err(error), _) | (_, Err(error)) => return failed(&error),
        };
    let deadline = Duration::from_secs(config.drain_deadline_s);
    let node = match Node::start(config, bundle).await {
        Ok(node) => node,
        Err(fault @ (StartFault::Provision(_) | StartFault::Credentials(_))) => {
            return wrongly_asked(&fault);
        }
        Err(fault) => return failed(&fault),
    };
    if json {
        println!("{}", node.addresses().ready_line());
    } else {
        println!("{}", node.addresses());
    }
    either(&mut terminate, &mut interrupt).await;
    tracing::info!("draining: new calls are refused, live ones go on; signal again to end at once");
    tokio::select! {
        () = node.drain(deadline) => ExitCode::SUCCESS,
        () = either(&mut terminate, &mut interrupt) => {
            tracing::warn!("ended at once by a second signal");
            ExitCode::FAILURE
        }
    }
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
