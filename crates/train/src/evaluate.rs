//! Scores of whole sequences, longer than the model's window too.

use model::{Batch, Network, Score};

use crate::error::TrainError;

/// The stretches that a sequence of `length` ids is scored in: `max + 1` ids
/// each, the last id of one being the first of the next, so that every id but
/// the first is a label once.
pub fn stretches(length: usize, max: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let starts = (0..length.saturating_sub(1)).step_by(max.max(1));
    starts.map(move |start| start..(start + max + 1).min(length))
}

/// Scores `sequences` as they are (frame them first where the model expects
/// it), up to `rows` stretches of one length at a time, without dropout, so that
/// a score depends on nothing but its sequence. `progress` gets the number
/// of stretches done and of all.
///
/// # Errors
/// [`TrainError::UnknownId`] for an id outside the vocabulary,
/// [`TrainError::Compute`] when the device fails.
pub fn evaluate(
    network: &mut Network,
    sequences: &[impl AsRef<[u32]>],
    rows: usize,
    mut progress: impl FnMut(usize, usize),
) -> Result<Vec<Score>, TrainError> {
    let config = network.config()?.clone();
    let max = config.max_sequence_length;
    let mut work = Vec::new();
    for (index, sequence) in sequences.iter().enumerate() {
        let ids = sequence.as_ref();
        work.extend(stretches(ids.len(), max).map(|range| (index, &ids[range])));
    }
    work.sort_by_key(|(_, ids)| ids.len());
    let mut scores = vec![Score::default(); sequences.len()];
    let mut done = 0;
    let alike = work.chunk_by(|(_, a), (_, b)| a.len() == b.len());
    for group in alike.flat_map(|alike| alike.chunks(rows.max(1))) {
        let ids: Vec<_> = group.iter().map(|(_, ids)| ids).collect();
        if let Some(batch) = Batch::new(&ids) {
            check_ids(&batch, config.vocab_size)?;
            for ((index, _), score) in group.iter().zip(network.score(&batch)?) {
                scores[*index].add(&score);
            }
        }
        done += group.len();
        progress(done, work.len());
    }
    Ok(scores)
}

/// Refuses a batch with an id outside the vocabulary.
pub(crate) fn check_ids(batch: &Batch, vocab_size: usize) -> Result<(), TrainError> {
    match batch.largest() {
        id if id as usize >= vocab_size => Err(TrainError::UnknownId { id, vocab_size }),
        _ => Ok(()),
    }
}
