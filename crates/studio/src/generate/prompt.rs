//! From an uploaded piece to a prompt, and the prompt as notes.

use corpus::piano_score;
use generate::{Event, Follower, Prompt};
use remi::Tokenizer;
use score::Merge;

use super::request::MidiPrompt;
use crate::limits::Limits;
use crate::problem::Problem;
use crate::score::{Note, Notes, Pedal, micro};
use crate::upload;

/// The prompt that a request names; without any, a piece begins.
pub(super) fn read(
    given: Option<&MidiPrompt>,
    tokenizer: &Tokenizer,
    limits: &Limits,
) -> Result<Prompt, Problem> {
    let Some(given) = given else {
        return Ok(Prompt::nothing(tokenizer));
    };
    let (score, _) = upload::midi(&given.midi, limits)?;
    let piano = piano_score(&score, Merge::All, tokenizer.time())
        .ok_or_else(|| Problem::music("the file holds no piano notes to continue"))?;
    let prompt = Prompt::new(&piano, &given.part, tokenizer);
    prompt.map_err(|error| Problem::music(error.to_string()))
}

/// The notes of a prompt as the model knows them, on the tokenizer's grid; and
/// since which second the pedal is down where the prompt ends.
pub(super) fn notes(prompt: &Prompt, tokenizer: &Tokenizer) -> (Notes, Option<f64>) {
    let mut follower = Follower::new(tokenizer, &prompt.tempos);
    let (mut notes, mut pedals) = (Vec::new(), Vec::new());
    let mut down = None;
    for id in &prompt.ids {
        follower.push(*id, |follower, event| {
            let span = |onset: u32, end: u32| {
                let from = follower.seconds(onset);
                (micro(from), micro(follower.seconds(end) - from))
            };
            let mut pedal = |from: u32, to: u32| {
                let (onset, duration) = span(from, to);
                pedals.push(Pedal { onset, duration });
            };
            match event {
                Some(Event::Note(note)) => {
                    let (onset, duration) = span(note.onset, note.end());
                    notes.push(Note {
                        onset,
                        duration,
                        pitch: note.pitch,
                        velocity: note.velocity,
                    });
                }
                Some(Event::PedalDown(tick)) => down = Some(tick),
                Some(Event::PedalUp(tick)) => {
                    if let Some(from) = down.take() {
                        pedal(from, tick);
                    }
                }
                Some(Event::Pedal(whole)) => pedal(whole.onset, whole.end()),
                None => {}
            }
            true
        });
    }
    let seconds = notes.iter().map(|note| note.onset + note.duration);
    let seconds = micro(seconds.fold(0.0, f64::max));
    let notes = Notes {
        notes,
        pedals,
        seconds,
    };
    (notes, down.map(|tick| micro(follower.seconds(tick))))
}
