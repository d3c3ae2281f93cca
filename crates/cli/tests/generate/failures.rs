//! What goes wrong, the words and exit codes it does so with.

use std::fs;
use std::path::Path;

use score::{Score, write_midi};
use tempfile::TempDir;

use crate::world::{files, generate, model, piece, world};

#[test]
fn wrong_use_says_what_is_right_and_leaves_nothing() {
    let folder = TempDir::new().unwrap();
    let cases = [
        ("--prompt-mode file", "--prompt-midi"),
        (
            "--prompt-mode unconditional --prompt-midi PROMPT",
            "leave one of them out",
        ),
        ("--prompt-bars 2", "--prompt-midi"),
        ("--prompt-bars 0 --prompt-midi PROMPT", "--prompt-bars"),
        (
            "--prompt-midi-slice 0 --prompt-midi PROMPT",
            "--prompt-midi-slice",
        ),
        ("--temperature=-1", "0 or more"),
        ("--temperature nan", "0 or more"),
        ("--temperature inf", "and finite"),
        ("--top-p 0", "over 0 and at most 1"),
        ("--min-p 2", "from 0 to 1"),
        ("--repetition-penalty 0", "over 0"),
        ("--seconds 0", "--seconds must be above 0"),
        ("--seconds inf", "--seconds must be above 0"),
        ("--bars 0", "--bars"),
        ("--max-to-generate 0", "--max-to-generate"),
        ("--num-samples 0", "--num-samples"),
        ("--num-samples 1000", "--num-samples"),
        ("--threads 0", "--threads"),
        ("--weights int3", "int8"),
    ];
    for (arguments, said) in cases {
        let output = generate(&folder, arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments}: {errors}");
        assert!(errors.contains(said), "{arguments}: {errors}");
        assert!(output.stdout.is_empty());
    }
    assert_eq!(files(&folder), 0);
}

#[test]
fn failures_name_their_remedy_and_leave_nothing() {
    let world = world();
    let folder = TempDir::new().unwrap();
    let broken = |name: &str, change: &dyn Fn(&Path)| {
        let broken = world.join(name);
        let _ = fs::remove_dir_all(&broken);
        fs::create_dir(&broken).unwrap();
        for file in ["config.json", "tokenizer.json", "model.safetensors"] {
            fs::copy(model().join(file), broken.join(file)).unwrap();
        }
        change(&broken);
        format!("--model {}", broken.display())
    };
    let truncated = broken("truncated", &|folder| {
        let bytes = fs::read(folder.join("model.safetensors")).unwrap();
        fs::write(folder.join("model.safetensors"), &bytes[..bytes.len() / 2]).unwrap();
    });
    let missing = broken("missing", &|folder| {
        fs::remove_file(folder.join("model.safetensors")).unwrap();
    });
    let other = broken("other", &|folder| {
        let text = fs::read_to_string(folder.join("tokenizer.json")).unwrap();
        fs::write(folder.join("tokenizer.json"), text + " ").unwrap();
    });
    let orbax = broken("orbax", &|folder| {
        fs::write(folder.join("manifest.ocdbt"), "").unwrap();
    });
    let orbax = orbax.replace("--model", "--checkpoint");
    let orbax = format!(
        "{orbax} --config {0}/config.json --tokenizer {0}/tokenizer.json",
        model().display()
    );
    let silent = world.join("silent.mid");
    fs::write(&silent, write_midi(&Score::new(480)).unwrap()).unwrap();
    let late = world.join("late.mid");
    let mut score = piece(4, 0);
    score.tempos.clear();
    for note in &mut score.tracks[0].notes {
        note.onset += 20 * 480;
    }
    fs::write(&late, write_midi(&score).unwrap()).unwrap();
    let text = world.join("text.mid");
    fs::write(&text, "no music").unwrap();
    let apart = format!(
        "--checkpoint {0}/model.safetensors --config {0}/config.json --tokenizer {1}/other/tokenizer.json",
        model().display(),
        world.display()
    );
    let cases = [
        (truncated, "train it again"),
        (missing, "model.safetensors"),
        (other, "put the right tokenizer.json back"),
        (apart, "--tokenizer"),
        (orbax, "manifest.ocdbt is damaged"),
        ("--model nowhere".to_owned(), "tchaikovsky train"),
        ("--model .".to_owned(), "holds no model"),
        (format!("--prompt-midi {}", silent.display()), "no notes"),
        (
            format!("--prompt-seconds 9 --prompt-midi {}", late.display()),
            "its first begins at 10.0 seconds",
        ),
        (format!("--prompt-midi {}", text.display()), "text.mid"),
        ("--prompt-midi nothing.mid".to_owned(), "nothing.mid"),
        (
            "--output-file /proc/nowhere/a.mid".to_owned(),
            "--output-file",
        ),
        ("--output-file .".to_owned(), "it is a folder"),
    ];
    for (arguments, said) in cases {
        let output = generate(&folder, &format!("{arguments} --notes 3"));
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments}: {errors}");
        assert!(errors.contains(said), "{arguments}: {errors}");
        assert!(output.stdout.is_empty());
    }
    assert_eq!(files(&folder), 0);
}
