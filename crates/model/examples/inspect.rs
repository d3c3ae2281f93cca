//! Reads a model folder and prints its shape and the norm of every tensor.
//!
//! Usage: `inspect FOLDER`

use std::path::PathBuf;

use model::ModelFolder;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args()
        .nth(1)
        .map(PathBuf::from)
        .ok_or("usage: inspect FOLDER")?;
    let model = ModelFolder::read(&folder)?;
    println!(
        "{:?}: {} parameters",
        model.config,
        model.config.parameter_count()
    );
    for (name, array) in model.weights.iter() {
        let norm = array.values.iter().map(|x| x * x).sum::<f32>().sqrt();
        println!("{name} {:?}: norm {norm:.3}", array.shape);
    }
    Ok(())
}
