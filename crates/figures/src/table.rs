//! All figures of a piece, by name.

use crate::groove::{Bars, groove_consistency, groove_similarity};
use crate::loops::loop_share;
use crate::patterns::repetition;
use crate::{Piece, pitch, polyphony, rhythm, structure, touch};

/// A figure that is taken of each piece.
pub struct Figure {
    /// Its name in reports.
    pub name: &'static str,
    /// Its value; `None` where a piece has none.
    pub of: fn(&Measured) -> Option<f64>,
}

/// A piece with what several figures share.
pub struct Measured {
    piece: Piece,
    structure: Option<structure::Structure>,
}

impl Measured {
    /// A piece; its structure is worked out if asked for, which takes longer than
    /// everything else.
    pub fn new(piece: Piece, with_structure: bool) -> Self {
        let structure = with_structure.then(|| structure::structure(&piece));
        Self { piece, structure }
    }

    /// The piece.
    pub fn piece(&self) -> &Piece {
        &self.piece
    }

    /// All [`FIGURES`] in their order.
    pub fn figures(&self) -> Vec<Option<f64>> {
        FIGURES.iter().map(|figure| (figure.of)(self)).collect()
    }
}

macro_rules! figures {
    ($($name:literal: $of:expr,)*) => {
        /// All figures; each is defined where its function is.
        pub const FIGURES: &[Figure] = &[$(Figure { name: $name, of: $of }),*];
    };
}

figures! {
    "notes": |m| Some(m.piece.notes().len() as f64),
    "seconds": |m| Some(m.piece.seconds()),
    "pitches_used": |m| Some(pitch::pitches_used(m.piece.notes()) as f64),
    "pitch_range": |m| Some(f64::from(pitch::pitch_range(m.piece.notes()))),
    "pitch_entropy": |m| pitch::pitch_entropy(m.piece.notes()),
    "pitch_class_entropy": |m| pitch::pitch_class_entropy(m.piece.notes()),
    "scale_consistency": |m| pitch::scale_consistency(m.piece.notes()),
    "polyphony": |m| polyphony::polyphony(m.piece.notes()),
    "polyphony_rate": |m| polyphony::polyphony_rate(m.piece.notes()),
    "note_density": |m| rhythm::note_density(&m.piece),
    "mean_onset_interval": |m| rhythm::mean_onset_interval(&m.piece),
    "mean_duration": |m| rhythm::mean_duration(&m.piece),
    "mean_velocity": |m| touch::mean_velocity(m.piece.notes()),
    "velocity_deviation": |m| touch::velocity_deviation(m.piece.notes()),
    "pedalled_notes": |m| Some(touch::pedalled_notes(&m.piece)),
    "pedal_time": |m| touch::pedal_time(&m.piece),
    "groove_similarity": |m| groove_similarity(m.piece.notes(), Bars::CLOCK),
    "groove_consistency": |m| groove_consistency(m.piece.notes(), Bars::CLOCK),
    "structure_short": |m| m.structure.map(|structure| structure.short),
    "structure_middle": |m| m.structure.map(|structure| structure.middle),
    "structure_long": |m| m.structure.map(|structure| structure.long),
    "repetition": |m| repetition(&m.piece),
    "loop_share": |m| Some(loop_share(&m.piece)),
}
