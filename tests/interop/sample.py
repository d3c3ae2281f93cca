"""MIDI files of many kinds, from a seed, written with mido."""

import random

from mido import Message, MetaMessage, MidiFile, MidiTrack

SIGNATURES = [(4, 4), (3, 4), (6, 8), (2, 4), (5, 4), (7, 8), (2, 2), (5, 16), (12, 8)]
CHORDS = [(0,), (0, 4, 7), (0, 3, 7, 10), (0, 5, 7), (0, 1, 2), (0, 0)]


def conductor(rng, ticks):
    """Tempos and time signatures, some in one tick, some that no tokenizer knows."""
    events = []
    for kind in range(2):
        tick = 0 if rng.random() < 0.8 else rng.randrange(5 * ticks)
        for _ in range(rng.randint(0, 5)):
            if kind == 0:
                event = MetaMessage("set_tempo", tempo=rng.randint(200_000, 1_500_000))
            else:
                numerator, denominator = rng.choice(SIGNATURES)
                event = MetaMessage(
                    "time_signature", numerator=numerator, denominator=denominator
                )
            events.append((tick, event))
            tick += rng.choice([0, ticks, 4 * ticks, rng.randrange(20 * ticks + 1)])
    return events


def notes(rng, ticks, channel, count):
    """Chords and single notes, long, short, repeated, outside the piano's range."""
    events = []
    tick = rng.choice([0, 0, ticks, rng.randrange(30 * ticks + 1)])
    for _ in range(count):
        lowest = rng.randint(15, 112)
        length = rng.choice([1, ticks // 4, ticks, rng.randrange(15 * ticks + 1)])
        for interval in rng.choice(CHORDS):
            pitch = min(127, lowest + interval)
            on = Message("note_on", channel=channel, note=pitch, velocity=rng.randint(1, 127))
            off = Message("note_off", channel=channel, note=pitch, velocity=0)
            spread = rng.choice([0, 0, 0, rng.randrange(ticks // 8 + 1)])
            events += [(tick + spread, on), (tick + spread + length, off)]
        tick += rng.choice([0, ticks // 4, ticks, rng.randrange(4 * ticks + 1)])
    return events


def pedal(rng, ticks, channel):
    """Presses and lifts, also of values between, also too many of one kind."""
    events, tick = [], 0
    for _ in range(rng.randint(0, 20)):
        value = rng.choice([0, 127, 63, 64, rng.randrange(128)])
        events.append((tick, Message("control_change", channel=channel, control=64, value=value)))
        tick += rng.randrange(4 * ticks + 1)
    return events


def track(events):
    """A track of events at absolute ticks."""
    made, now = MidiTrack(), 0
    for tick, event in sorted(events, key=lambda pair: pair[0]):
        made.append(event.copy(time=tick - now))
        now = tick
    return made


def piano(rng, path):
    """One piano track."""
    ticks = rng.choice([480, 384, 220, 96, 24, 8, 1, rng.randint(1, 32767)])
    midi = MidiFile(type=0, ticks_per_beat=ticks)
    events = conductor(rng, ticks) + notes(rng, ticks, 0, rng.randint(1, 150))
    midi.tracks.append(track(events + pedal(rng, ticks, 0)))
    midi.save(path)


def ensemble(rng, path):
    """Several tracks, channels and programs, with drums; without pedals, for
    which MidiTok has no token outside the first program."""
    ticks = rng.choice([480, 96, 1024, rng.randint(1, 32767)])
    midi = MidiFile(type=1, ticks_per_beat=ticks)
    midi.tracks.append(track(conductor(rng, ticks)))
    for _ in range(rng.randint(1, 5)):
        events = []
        for channel in rng.sample(range(16), rng.randint(1, 3)):
            program = Message("program_change", channel=channel, program=rng.randrange(128))
            events += [(0, program)] + notes(rng, ticks, channel, rng.randint(0, 40))
        midi.tracks.append(track(events))
    midi.save(path)


def write(folder, count, kind, seed):
    """Writes `count` files, named after their kind."""
    folder.mkdir(parents=True)
    paths = []
    for index in range(count):
        path = folder / f"{kind.__name__}-{index:03}.mid"
        kind(random.Random(f"{seed}-{kind.__name__}-{index}"), path)
        paths.append(path)
    return paths
