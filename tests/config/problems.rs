//! Mistakes, against files that hold what is said of them: `problems/NAME.txt` for a file NAME.
//! With UPDATE_GOLDEN=1 they are written, to be read in the diff.

use std::fs;
use std::path::{Path, PathBuf};

use stakeout::config::{Language, Problems, read};

use super::options;

#[test]
fn every_mistake_is_told_with_its_place_and_what_was_probably_meant() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/problems");
    let files = fs::read_dir(&directory).expect("the directory of golden files");
    let files = files.map(|file| file.expect("a file").path());
    let mut files: Vec<PathBuf> =
        files.filter(|file| file.extension().is_some_and(|e| e != "txt")).collect();
    files.sort();
    assert!(files.len() >= 6, "{files:?}");
    for file in files {
        let text = fs::read_to_string(&file).expect("a text");
        let list = read(&text, Language::of(&file), &options()).expect_err("a mistake");
        let name = PathBuf::from(file.file_name().expect("a name"));
        let said = Problems { file: name, text, list }.to_string() + "\n";
        let golden =
            file.with_extension(format!("{}.txt", file.extension().expect("one").display()));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&golden, &said).expect("a file");
        }
        let expected = fs::read_to_string(&golden).expect("the golden file");
        assert_eq!(said, expected, "{}", file.display());
    }
}
