//! `tchaikovsky serve`: the page and its API.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::available_parallelism;

use anyhow::Context;
use studio::{Limits, Model, OpenEngine, Studio};

use super::generate::{Computing, Parts};
use crate::{say, stop};

/// Open a page in your browser where a model plays while it composes.
///
/// The page and its sound need nothing else, and no other site is asked for
/// anything. Only this machine can reach it, unless --host says otherwise.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Model folder, or a folder of checkpoints (the best is taken). May be
    /// given several times; the first is the default. Without any, MIDI files
    /// can be heard and seen, but not continued.
    #[arg(long, value_name = "DIR")]
    model: Vec<PathBuf>,
    /// Where to listen; 0 takes any port that is free.
    #[arg(long, default_value_t = 8777)]
    port: u16,
    /// Address to listen on. Any other than 127.0.0.1 lets others use the
    /// server: there are no passwords.
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    host: IpAddr,
    /// A name by which browsers may call this server, beside localhost and IP
    /// addresses. May be given several times.
    #[arg(long, value_name = "NAME")]
    name: Vec<String>,
    #[command(flatten)]
    computing: Computing,
}

const EXAMPLES: &str = "\
Examples:
  tchaikovsky serve --model run
  tchaikovsky serve --model small --model large --port 9000
  tchaikovsky serve --model run --host 0.0.0.0 --name music.example";

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<()> {
    let address = SocketAddr::new(args.host, args.port);
    let listener = TcpListener::bind(address).with_context(|| {
        format!("cannot listen on {address}; another program may: choose a port by --port N")
    })?;
    let mut computing = args.computing;
    let cores = available_parallelism().map_or(1, usize::from);
    let all_but_one = u8::try_from(cores.saturating_sub(1)).unwrap_or(u8::MAX);
    computing.threads.get_or_insert(all_but_one.max(1));
    let models = args.model.iter().map(|path| model(path, &computing));
    let models: Vec<Model> = models.collect::<anyhow::Result<_>>()?;
    if models.is_empty() {
        eprintln!("no model: MIDI files can be heard and seen; to generate, give --model DIR");
    }
    let studio = Studio::start(models, args.name, Limits::default())?;
    let stopped = stop::on_signal()?;
    say!("http://{}", listener.local_addr()?);
    eprintln!("open this address in your browser; Ctrl-C ends the program");
    Ok(studio::serve(&studio, listener, stopped)?)
}

/// A model under the name of its folder.
fn model(path: &Path, computing: &Computing) -> anyhow::Result<Model> {
    let Parts {
        config, tokenizer, ..
    } = Parts::open(path, None, None)?;
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = whole.file_name().unwrap_or_default().to_string_lossy();
    let (path, computing) = (path.to_owned(), computing.clone());
    let open: OpenEngine = Arc::new(move |sequences| {
        let parts = Parts::open(&path, None, None)?;
        Ok(computing.engine(&parts.config, parts.weights, sequences)?)
    });
    Ok(Model::new(name, config, tokenizer, open))
}
