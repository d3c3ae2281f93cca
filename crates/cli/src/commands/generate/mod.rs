//! `tchaikovsky generate`: from a model and a prompt to performances.

mod arguments;
mod engine;
mod extras;
mod output;
mod parts;
mod play;
mod prompt;
mod stream;
mod summary;

pub use arguments::Args;
pub use engine::Computing;
pub use parts::Parts;
use stream::Stream;

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
    let prompt = prompt::read(&args, &tokenizer)?;
    let positions = config.max_sequence_length;
    if args.strict_prompt && prompt.ids.len() > positions {
        anyhow::bail!(
            "the prompt has {} tokens with its beginning, the model's window {positions}; shorten it by --prompt-midi-slice, --prompt-bars or --prompt-seconds, or leave out --strict-prompt to use its end",
            prompt.ids.len()
        );
    }
    let mut engine = args.computing.engine(&config, weights, files.len())?;
    let stream = Stream::new(args.stream, args.output_generated_only, files.len());
    let made = play::play(&args, &tokenizer, engine.as_mut(), &prompt, stream)?;
    let mut samples = Vec::new();
    for (index, (sample, file)) in made.samples.iter().zip(&files).enumerate() {
        let result = sample.music(&tokenizer, &prompt, args.output_generated_only);
        output::write(file, &result.score)?;
        extras.write(index, &result)?;
        let seed = args.seed.wrapping_add(index as u64);
        samples.push(summary::Sample::new(file, seed, sample, &result));
    }
    summary::Summary::new(&prompt, &made, samples).print(args.json, args.stream)
}
