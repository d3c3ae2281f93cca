//! The seed project spells options with underscores; both spellings work.

use std::ffi::OsString;

/// Replaces underscores in option names (not in their values) by hyphens.
pub fn with_hyphens(args: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut only_values = false;
    args.map(|arg| {
        let Some(text) = arg
            .to_str()
            .filter(|text| text.starts_with("--") && !only_values)
        else {
            return arg;
        };
        only_values = text == "--";
        match text.split_once('=') {
            Some((name, value)) => format!("{}={value}", name.replace('_', "-")).into(),
            None => text.replace('_', "-").into(),
        }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_change_and_values_do_not() {
        let args = ["x", "--out_dir=a_b", "--midis_dir", "c_d", "--", "--e_f"];
        let spelled = with_hyphens(args.iter().map(OsString::from));
        assert_eq!(
            spelled,
            ["x", "--out-dir=a_b", "--midis-dir", "c_d", "--", "--e_f"]
        );
    }
}
