//! How much of a piece was copied from another.

use std::collections::HashMap;

use score::Note;

/// The most notes in a row that occur in both, equal in pitch and in the ticks
/// since the note before; notes in the order of their onsets. Takes time in
/// proportion to the notes (a suffix automaton, Blumer et al. 1985).
pub fn longest_common_run(notes: &[Note], others: &[Note]) -> usize {
    let automaton = Automaton::of(&steps(others));
    let (mut state, mut length, mut longest) = (0, 0, 0);
    for step in steps(notes) {
        loop {
            if let Some(next) = automaton.states[state].next.get(&step) {
                state = *next;
                length += 1;
                break;
            }
            let Some(shorter) = automaton.states[state].link else {
                length = 0;
                break;
            };
            state = shorter;
            length = automaton.states[state].length;
        }
        longest = longest.max(length);
    }
    longest
}

/// Each note's pitch and its ticks since the note before.
fn steps(notes: &[Note]) -> Vec<(u8, u32)> {
    let mut before = notes.first().map_or(0, |note| note.onset);
    let step = |note: &Note| {
        let ticks = note.onset.saturating_sub(before);
        before = note.onset;
        (note.pitch, ticks)
    };
    notes.iter().map(step).collect()
}

/// Runs that end at the same places.
#[derive(Clone, Default)]
struct State {
    /// Length of the longest of them.
    length: usize,
    link: Option<usize>,
    next: HashMap<(u8, u32), usize>,
}

/// All runs of a sequence.
struct Automaton {
    states: Vec<State>,
}

impl Automaton {
    fn of(steps: &[(u8, u32)]) -> Self {
        let mut automaton = Self {
            states: vec![State::default()],
        };
        let mut last = 0;
        for step in steps {
            last = automaton.extend(last, *step);
        }
        automaton
    }

    /// Adds a step after the state of the whole sequence, gives the new one.
    fn extend(&mut self, last: usize, step: (u8, u32)) -> usize {
        let new = self.states.len();
        self.states.push(State {
            length: self.states[last].length + 1,
            ..State::default()
        });
        let mut at = Some(last);
        while let Some(state) = at {
            if let Some(target) = self.states[state].next.get(&step).copied() {
                self.states[new].link = Some(self.split(state, target, step));
                return new;
            }
            self.states[state].next.insert(step, new);
            at = self.states[state].link;
        }
        self.states[new].link = Some(0);
        new
    }

    /// The state of the runs that lead from `state` to `target` by `step`, cut
    /// off from longer ones.
    fn split(&mut self, state: usize, target: usize, step: (u8, u32)) -> usize {
        let length = self.states[state].length + 1;
        if self.states[target].length == length {
            return target;
        }
        let copy = self.states.len();
        self.states.push(State {
            length,
            ..self.states[target].clone()
        });
        self.states[target].link = Some(copy);
        let mut at = Some(state);
        while let Some(state) = at {
            if self.states[state].next.get(&step) != Some(&target) {
                break;
            }
            self.states[state].next.insert(step, copy);
            at = self.states[state].link;
        }
        copy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes(pitches: &[u8]) -> Vec<Note> {
        let note = |(index, pitch): (usize, &u8)| Note {
            onset: 10 * index as u32,
            duration: 10,
            pitch: *pitch,
            velocity: 64,
        };
        pitches.iter().enumerate().map(note).collect()
    }

    /// By trying all places.
    fn plain(a: &[Note], b: &[Note]) -> usize {
        let (a, b) = (steps(a), steps(b));
        let run = |i: usize, j: usize| {
            let pairs = a[i..].iter().zip(&b[j..]);
            pairs.take_while(|(a, b)| a == b).count()
        };
        let starts = (0..a.len()).flat_map(|i| (0..b.len()).map(move |j| (i, j)));
        starts.map(|(i, j)| run(i, j)).max().unwrap_or(0)
    }

    #[test]
    fn equals_the_search_of_all_places() {
        let mut state = 1_u32;
        for length in 0..60 {
            let mut pitches = || -> Vec<u8> {
                let next = || {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    60 + (state >> 30) as u8
                };
                std::iter::repeat_with(next).take(length).collect()
            };
            let (a, b) = (notes(&pitches()), notes(&pitches()));
            assert_eq!(longest_common_run(&a, &b), plain(&a, &b), "{length}");
        }
    }

    #[test]
    fn rhythm_counts_and_place_does_not() {
        let a = notes(&[60, 62, 64, 65, 67]);
        let mut later = notes(&[1, 62, 64, 65, 2]);
        later.iter_mut().for_each(|note| note.onset += 1000);
        assert_eq!(longest_common_run(&a, &later), 3);
        later[2].onset += 1;
        assert_eq!(longest_common_run(&a, &later), 1);
        assert_eq!(longest_common_run(&a, &[]), 0);
    }
}
