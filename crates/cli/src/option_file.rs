//! Options of `train` from files: one that the user names, and those stored in
//! the run that is gone on with. They become arguments, so that they mean what
//! they mean on the command line, which goes before them.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command};
use serde_json::{Map, Value};

use crate::usage::wrong_use;

/// Options by name, with underscores.
type Options = Map<String, Value>;

/// Options of the seed project's `config.json` and of a model's that are none of
/// `train`.
const NOT_OURS: [&str; 2] = ["wandb", "tokenizer_sha256"];

/// Adds the options of files to the arguments of `train`; other commands' stay
/// as they are, and so do arguments that are wrong, for the parser to say so.
///
/// # Errors
/// Where a file cannot be read or holds what is no option.
pub fn expand(command: &Command, mut args: Vec<OsString>) -> anyhow::Result<Vec<OsString>> {
    let Ok(matches) = command.clone().try_get_matches_from(&args) else {
        return Ok(args);
    };
    let (Some(("train", typed)), Some(train)) =
        (matches.subcommand(), command.find_subcommand("train"))
    else {
        return Ok(args);
    };
    let mut layers = Vec::new();
    if let Some(path) = typed.get_one::<PathBuf>("config") {
        layers.push((path.display().to_string(), read(path)?));
    }
    let resumed = typed.get_one::<PathBuf>("resume").cloned();
    if let Some(run) = resumed.or_else(|| resumed_in(&layers)) {
        let name = format!("the state of {}", run.display());
        layers.push((name, stored(&run)?));
    }
    let mut given = given(train, typed);
    let mut added = Vec::new();
    for (name, options) in &layers {
        let names: HashSet<&str> = options.keys().map(String::as_str).collect();
        for (option, value) in options {
            check_name(train, name, option)?;
            if !given.contains(option.as_str()) {
                added.extend(argument(name, option, value)?);
            }
        }
        given.extend(names.into_iter().map(str::to_owned));
        epochs_outdo_older_steps(&mut given);
    }
    let after = args.iter().position(|arg| arg == "train");
    let after = after.map_or(args.len(), |place| place + 1);
    args.splice(after..after, added);
    Ok(args)
}

/// The options that the command line gives.
fn given(train: &Command, typed: &ArgMatches) -> HashSet<String> {
    let ids = train.get_arguments().map(|argument| argument.get_id());
    let is_typed = |id: &&clap::Id| {
        let known = typed.try_contains_id(id.as_str()).is_ok();
        known && typed.value_source(id.as_str()) == Some(ValueSource::CommandLine)
    };
    let typed = ids.filter(is_typed);
    let mut given = typed.map(|id| id.as_str().to_owned()).collect();
    epochs_outdo_older_steps(&mut given);
    given
}

/// Steps go before epochs, so steps of an older layer would undo epochs of a
/// newer one.
fn epochs_outdo_older_steps(given: &mut HashSet<String>) {
    if given.contains("epochs") {
        given.insert("steps".to_owned());
    }
}

fn resumed_in(layers: &[(String, Options)]) -> Option<PathBuf> {
    let (_, options) = layers.first()?;
    options.get("resume")?.as_str().map(PathBuf::from)
}

/// An option file: JSON where it begins with a brace, else TOML.
fn read(path: &Path) -> anyhow::Result<Options> {
    let name = || format!("cannot read the options in {}", path.display());
    let text = std::fs::read_to_string(path).with_context(name)?;
    let options: Options = match text.trim_start().starts_with('{') {
        true => serde_json::from_str(&text).with_context(name)?,
        false => toml::from_str(&text).with_context(name)?,
    };
    let underscores = |(key, value): (String, Value)| (key.replace('-', "_"), value);
    Ok(options.into_iter().map(underscores).collect())
}

/// The options that a run was started with.
fn stored(run: &Path) -> anyhow::Result<Options> {
    let options = serde_json::to_value(train::checkpoint::read_options(run)?)?;
    let Value::Object(mut options) = options else {
        return Ok(Options::new());
    };
    let precision = options.remove("precision");
    let is_bf16 = precision.is_some_and(|precision| precision == "bf16");
    options.insert("use_bf16".to_owned(), is_bf16.into());
    // Left out is left out: it must not hide an option of an older layer.
    options.retain(|_, value| !value.is_null());
    Ok(options)
}

fn check_name(train: &Command, file: &str, option: &str) -> anyhow::Result<()> {
    let ids = train
        .get_arguments()
        .map(|argument| argument.get_id().as_str());
    let names: Vec<&str> = ids
        .filter(|id| !["help", "version", "config"].contains(id))
        .collect();
    if names.contains(&option) || NOT_OURS.contains(&option) {
        return Ok(());
    }
    let distance = |name: &&&str| strsim::damerau_levenshtein(name, option);
    let nearest = names
        .iter()
        .min_by_key(distance)
        .copied()
        .unwrap_or_default();
    Err(wrong_use(format!(
        "{file} has an option {option} that train does not know; the nearest is {nearest}"
    )))
}

/// The argument that an option of a file stands for; none for a switch that is
/// off and for null.
fn argument(file: &str, option: &str, value: &Value) -> anyhow::Result<Option<OsString>> {
    let name = option.replace('_', "-");
    let text = match value {
        Value::Bool(true) if option == "wandb" => {
            return Err(wrong_use(format!(
                "{file} asks for wandb, which is not supported: metrics go to metrics.jsonl and to TensorBoard's events; set it to false"
            )));
        }
        _ if NOT_OURS.contains(&option) => return Ok(None),
        Value::Null | Value::Bool(false) => return Ok(None),
        Value::Bool(true) => return Ok(Some(format!("--{name}").into())),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) => {
            return Err(wrong_use(format!(
                "{file}: {option} is a list or a table; options are single values"
            )));
        }
    };
    Ok(Some(format!("--{name}={text}").into()))
}
