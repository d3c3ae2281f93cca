//! `tchaikovsky import`: from a checkpoint of the JAX original to a model folder.

use std::path::PathBuf;

use model::folder::{Parts, write_model};
use model::save::Stored;

use crate::original::Original;
use crate::usage::wrong_use;

/// Make a model folder of a checkpoint of the JAX original, TchAIkovsky.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The config.json that train.py wrote beside its checkpoints.
    #[arg(long, short, value_name = "FILE")]
    config: PathBuf,
    /// The checkpoint, a folder checkpoint-NNN.eqx.
    #[arg(long, value_name = "DIR")]
    checkpoint: PathBuf,
    /// The tokenizer that the model was trained with.
    #[arg(long, value_name = "FILE")]
    tokenizer: PathBuf,
    /// Model folder to write; it must not be there yet.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

const EXAMPLES: &str = "\
Examples:
  tchaikovsky import --config config.json --checkpoint checkpoint-005.eqx --tokenizer tokenizer.json --out model
  tchaikovsky generate --model model --prompt-midi my.mid";

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<()> {
    if args.out.exists() {
        return Err(wrong_use(format!(
            "{} is there already; name another --out, or remove it",
            args.out.display()
        )));
    }
    let original = Original::open(&args.config, &args.checkpoint, &args.tokenizer)?;
    original.tell();
    let Original {
        config, checkpoint, ..
    } = &original;
    let parameters = config.parameter_count();
    let card = format!(
        "# Piano transformer\n\n\
         Weights of the JAX original, TchAIkovsky; made by `tchaikovsky import` of `{}`.\n\n\
         | | |\n|---|---|\n\
         | Parameters | {parameters} |\n\
         | Shape | {} wide, {} heads of {}, {} layers, {} tokens, {} positions |\n\
         | Trained in bf16 | {} |\n\
         | Data and licence | those of the checkpoint |\n",
        args.checkpoint.display(),
        config.dim,
        config.heads,
        config.head_dim,
        config.num_layers,
        config.vocab_size,
        config.max_sequence_length,
        if config.use_bf16 { "yes" } else { "no" },
    );
    let parts = Parts {
        config,
        weights: checkpoint,
        tokenizer: &original.tokenizer_file,
        card: &card,
    };
    write_model(&args.out, parts, Stored::F32, |_| Ok(()))?;
    crate::say!(
        "{}: {parameters} parameters, {} layers, {} ids",
        args.out.display(),
        config.num_layers,
        config.vocab_size
    );
    Ok(())
}
