//! `tchaikovsky generate`: from a model and a prompt to performances.

mod arguments;
mod extras;
mod limits;
mod output;
mod parts;
mod play;
mod prompt;
mod stream;
mod summary;

use generate::{Engine, EngineOptions};

pub use arguments::Args;
use parts::Parts;
use prompt::Prompt;
use stream::Stream;

use crate::usage::wrong_use;

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<()> {
    args.check()?;
    let files = output::files(&args);
    output::check_writable(&files)?;
    let extras = extras::Extras::new(&args)?;
    let Parts {
        config,
        weights,
        tokenizer,
    } = Parts::read(&args)?;
    let prompt = Prompt::read(&args, &tokenizer)?;
    let positions = config.max_sequence_length;
    if args.strict_prompt && prompt.ids.len() > positions {
        anyhow::bail!(
            "the prompt has {} tokens with its beginning, the model's window {positions}; shorten it by --prompt-midi-slice, --prompt-bars or --prompt-seconds, or leave out --strict-prompt to use its end",
            prompt.ids.len()
        );
    }
    let options = EngineOptions {
        format: args.weights.into(),
        threads: args.threads.map_or(0, usize::from),
        sequences: files.len(),
        ..EngineOptions::default()
    };
    let engine = match weights {
        parts::Weights::File(file) => Engine::new(&config, file, options),
        parts::Weights::Original(weights) => Engine::new(&config, weights, options),
    };
    let mut engine = engine.map_err(|error| wrong_use(error.to_string()))?;
    let stream = Stream::new(args.stream, args.output_generated_only, files.len());
    let made = play::play(&args, &tokenizer, &mut engine, &prompt, stream)?;
    let mut samples = Vec::new();
    for (index, (sample, file)) in made.samples.iter().zip(&files).enumerate() {
        let result = output::result(&tokenizer, &prompt, sample, args.output_generated_only);
        output::write(file, &result.score)?;
        extras.write(index, &result)?;
        let seed = args.seed.wrapping_add(index as u64);
        samples.push(summary::Sample::new(file, seed, sample, &result));
    }
    summary::Summary::new(&prompt, &made, samples).print(args.json, args.stream)
}
