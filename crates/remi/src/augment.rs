//! The same music in another key or at another loudness, as a map on base
//! tokens: nothing has to be encoded again.

use crate::tokenizer::Tokenizer;
use crate::vocabulary::{Token, pitch_class};

/// A transposition and a change of velocity.
#[derive(Clone, Debug)]
pub struct Augmentation {
    map: Vec<u16>,
}

impl Tokenizer {
    /// Transposes by `semitones` and moves velocities by `velocity_bins`.
    /// Velocities stay within the tokenizer's bins, pitches without a token
    /// stay as they are: see [`Tokenizer::transpositions`]. Drums do not move.
    pub fn augmentation(&self, semitones: i8, velocity_bins: i8) -> Augmentation {
        let vocabulary = self.vocabulary();
        let velocities: Vec<u16> = (0..vocabulary.len() as u16)
            .filter(|id| matches!(vocabulary.token(*id), Some(Token::Velocity(_))))
            .collect();
        let moved = |id: u16, token: &Token| match token {
            Token::Pitch(pitch) => vocabulary.id(&format!(
                "Pitch_{}",
                i16::from(*pitch) + i16::from(semitones)
            )),
            Token::Chord(name) => {
                let (root, quality) = name.split_once(':')?;
                let class = (0..12).find(|class| pitch_class(*class) == root)?;
                let class = (i16::from(class) + i16::from(semitones)).rem_euclid(12) as u8;
                vocabulary.id(&format!("Chord_{}:{quality}", pitch_class(class)))
            }
            Token::Velocity(_) => {
                let index = velocities.iter().position(|other| *other == id)?;
                let index = index.saturating_add_signed(isize::from(velocity_bins));
                velocities.get(index.min(velocities.len() - 1)).copied()
            }
            _ => None,
        };
        let tokens = vocabulary.tokens().iter().enumerate();
        let map = tokens.map(|(id, token)| moved(id as u16, token).unwrap_or(id as u16));
        Augmentation { map: map.collect() }
    }

    /// The lowest and highest transposition, in semitones and within `limit`,
    /// at which all pitches of these base tokens still have a token.
    pub fn transpositions(&self, base: &[u16], limit: u8) -> (i8, i8) {
        let pitch = |id: &u16| match self.vocabulary().token(*id) {
            Some(Token::Pitch(pitch)) => Some(*pitch),
            _ => None,
        };
        let pitches = || base.iter().filter_map(pitch);
        let limit = limit.min(127);
        let (Some(lowest), Some(highest)) = (pitches().min(), pitches().max()) else {
            return (0, 0);
        };
        let (bottom, top) = self.config().pitch_range;
        let down = lowest.saturating_sub(bottom).min(limit) as i8;
        (-down, top.saturating_sub(highest).min(limit) as i8)
    }
}

impl Augmentation {
    /// Changes base tokens in place.
    pub fn apply(&self, base: &mut [u16]) {
        for id in base {
            *id = self.map.get(usize::from(*id)).copied().unwrap_or(*id);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Config, Tokenizer};

    fn names(tokenizer: &Tokenizer, names: &[&str]) -> Vec<u16> {
        names
            .iter()
            .map(|name| tokenizer.vocabulary().id(name).unwrap())
            .collect()
    }

    #[test]
    fn pitches_roots_and_velocities_move_and_nothing_else() {
        let config = Config {
            use_chords: true,
            chord_tokens_with_root_note: true,
            ..Config::seed()
        };
        let tokenizer = Tokenizer::new(config).unwrap();
        let before = [
            "Bar_None",
            "Position_3",
            "Chord_B:min",
            "Pitch_60",
            "Velocity_119",
            "Duration_1.0.8",
            "PitchDrum_40",
        ];
        let after = [
            "Bar_None",
            "Position_3",
            "Chord_C#:min",
            "Pitch_62",
            "Velocity_127",
            "Duration_1.0.8",
            "PitchDrum_40",
        ];
        let mut base = names(&tokenizer, &before);
        tokenizer.augmentation(2, 5).apply(&mut base);
        assert_eq!(base, names(&tokenizer, &after));
        tokenizer.augmentation(-2, 0).apply(&mut base);
        assert_eq!(base[3], names(&tokenizer, &["Pitch_60"])[0]);
    }

    #[test]
    fn transpositions_stay_on_the_keyboard() {
        let tokenizer = Tokenizer::new(Config::seed()).unwrap();
        let base = names(&tokenizer, &["Pitch_24", "Bar_None", "Pitch_107"]);
        assert_eq!(tokenizer.transpositions(&base, 5), (-3, 2));
        assert_eq!(tokenizer.transpositions(&[], 5), (0, 0));
    }
}
