//! The model card that every checkpoint carries.

use model::ModelConfig;

use crate::checkpoint::TrainState;

/// What the trainer cannot know about the data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// What the model was trained on.
    pub data: String,
    /// Licence of the weights.
    pub licence: String,
}

/// The card as Markdown.
pub fn card(config: &ModelConfig, state: &TrainState, about: &About) -> String {
    let best = match &state.best {
        Some(best) => format!(
            "{:.4} nats per token at step {}",
            best.validation_loss, best.step
        ),
        None => "not evaluated".to_owned(),
    };
    format!(
        "# Piano transformer\n\n\
         Continues piano music in REMI tokens; made by `tchaikovsky train`.\n\n\
         | | |\n|---|---|\n\
         | Parameters | {} |\n\
         | Shape | {} wide, {} heads of {}, {} layers, {} tokens, {} positions |\n\
         | Data | {} |\n\
         | Examples an epoch | {} |\n\
         | Steps | {} of {}, {} examples each |\n\
         | Best validation loss | {} |\n\
         | Licence of the weights | {} |\n",
        config.parameter_count(),
        config.dim,
        config.heads,
        config.head_dim,
        config.num_layers,
        config.vocab_size,
        config.max_sequence_length,
        about.data,
        state.examples,
        state.step,
        state.total_steps,
        state.options.batch_size,
        best,
        about.licence,
    )
}
