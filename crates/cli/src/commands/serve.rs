//! `tchaikovsky serve`: the page and its API.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread::available_parallelism;

use anyhow::anyhow;
use studio::{Limits, Model, OpenEngine, Studio};

use super::generate::{Computing, Parts};
use crate::{built_in, say, stop};

/// Open a page in your browser where a model plays while it composes.
///
/// The page and its sound need nothing else, and no other site is asked for
/// anything. Only this machine can reach it, unless --host says otherwise.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Model folder, or a folder of checkpoints (the best is taken). May be
    /// given several times; the first is the default [default: the model in the
    /// box].
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
    /// Open the page in your browser at once.
    #[arg(long)]
    open: bool,
    #[command(flatten)]
    computing: Computing,
}

const EXAMPLES: &str = "\
Examples:
  tchaikovsky serve --open
  tchaikovsky serve --model small --model large --port 9000
  tchaikovsky serve --model run --host 0.0.0.0 --name music.example";

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<()> {
    let address = SocketAddr::new(args.host, args.port);
    let listener = TcpListener::bind(address).map_err(|error| cannot_listen(address, &error))?;
    let mut computing = args.computing;
    let cores = available_parallelism().map_or(1, usize::from);
    let all_but_one = u8::try_from(cores.saturating_sub(1)).unwrap_or(u8::MAX);
    computing.threads.get_or_insert(all_but_one.max(1));
    let models = match args.model.as_slice() {
        [] => in_the_box(&computing).map(|model| vec![model]),
        paths => paths
            .iter()
            .map(|path| of_folder(path, &computing))
            .collect(),
    }?;
    let studio = Studio::start(models, args.name, Limits::default())?;
    let stopped = stop::on_signal()?;
    let page = format!("http://{}", listener.local_addr()?);
    say!("{page}");
    eprintln!(
        "open this address in a browser, and leave this window open; Ctrl-C ends the program"
    );
    if args.open {
        open(&page);
    }
    Ok(studio::serve(&studio, listener, stopped)?)
}

fn cannot_listen(address: SocketAddr, error: &std::io::Error) -> anyhow::Error {
    match error.kind() {
        ErrorKind::AddrInUse => anyhow!(
            "port {} is in use, perhaps by this program in another window; take another by --port N",
            address.port()
        ),
        _ => anyhow!("cannot listen on {address}: {error}"),
    }
}

/// Has the desktop open the page; where there is none, the address was printed.
fn open(page: &str) {
    let mut command = if cfg!(target_os = "macos") {
        Command::new("open")
    } else if cfg!(windows) {
        Command::new("explorer")
    } else {
        Command::new("xdg-open")
    };
    let quiet = command
        .arg(page)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if let Err(error) = quiet.spawn() {
        eprintln!("no browser could be opened: {error}");
    }
}

/// A model under the name of its folder.
fn of_folder(path: &Path, computing: &Computing) -> anyhow::Result<Model> {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = whole.file_name().unwrap_or_default().to_string_lossy();
    let path = path.to_owned();
    model(&name, computing, move || Parts::open(&path, None, None))
}

fn in_the_box(computing: &Computing) -> anyhow::Result<Model> {
    model(built_in::NAME, computing, Parts::built_in)
}

/// A model whose parts are read whenever an engine is made.
fn model(
    name: &str,
    computing: &Computing,
    parts: impl Fn() -> anyhow::Result<Parts> + Send + Sync + 'static,
) -> anyhow::Result<Model> {
    let Parts {
        config, tokenizer, ..
    } = parts()?;
    let computing = computing.clone();
    let open: OpenEngine = Arc::new(move |sequences| {
        let parts = parts()?;
        Ok(computing.engine(&parts.config, parts.weights, sequences)?)
    });
    Ok(Model::new(name, config, tokenizer, open))
}
