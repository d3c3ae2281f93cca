//! What a damaged file lost when it was read.

use std::fmt;

/// One kind of loss and where it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loss {
    /// An event of this track (counted from 0) could not be read; what follows
    /// in the track is lost.
    TrackBroken {
        /// The track, counted from 0 in the file's order.
        track: usize,
        /// Bytes of the track that were not read.
        unread_bytes: usize,
    },
    /// The track does not end with an end-of-track event: the file is
    /// probably cut off.
    TrackUnfinished {
        /// The track, counted from 0 in the file's order.
        track: usize,
    },
    /// The header declares another number of tracks than the file holds.
    TrackCount {
        /// Tracks the header declares.
        declared: usize,
        /// Tracks that were found.
        found: usize,
    },
    /// Notes that begin and never end; symusic drops them, and so do we.
    OpenNotes(usize),
    /// Pedals that go down and are never lifted; dropped likewise.
    OpenPedals(usize),
    /// The header states zero ticks per quarter note; 480 are assumed.
    ZeroDivision,
    /// Events beyond the largest tick that is kept (2^31 - 1).
    BeyondLastTick {
        /// The track, counted from 0 in the file's order.
        track: usize,
    },
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TrackBroken {
                track,
                unread_bytes,
            } => write!(
                f,
                "track {track} breaks off at an event that is no MIDI, up to {unread_bytes} bytes lost"
            ),
            Self::TrackUnfinished { track } => {
                write!(f, "track {track} has no end: the file may be cut off")
            }
            Self::TrackCount { declared, found } => {
                write!(
                    f,
                    "the header declares {declared} tracks, the file holds {found}"
                )
            }
            Self::OpenNotes(count) => write!(f, "{count} notes never end and were dropped"),
            Self::OpenPedals(count) => {
                write!(f, "{count} pedals are never lifted and were dropped")
            }
            Self::ZeroDivision => {
                write!(
                    f,
                    "the header states 0 ticks per quarter note, 480 were assumed"
                )
            }
            Self::BeyondLastTick { track } => {
                write!(
                    f,
                    "track {track} goes on beyond the last possible tick, the rest is lost"
                )
            }
        }
    }
}

/// Everything that was lost while reading a file; empty for a sound one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// The losses, in the order they were met.
    pub losses: Vec<Loss>,
}

impl Damage {
    /// Whether the file was read whole. Notes and pedals left open do not
    /// count: sound files of many programs have them.
    pub fn is_sound(&self) -> bool {
        let harmless = |loss: &Loss| matches!(loss, Loss::OpenNotes(_) | Loss::OpenPedals(_));
        self.losses.iter().all(harmless)
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, loss) in self.losses.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{loss}")?;
        }
        Ok(())
    }
}
