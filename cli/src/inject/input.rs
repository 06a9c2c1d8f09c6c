//! Where manifests come from: files, folders, standard input, URLs.

mod fetch;

use super::Source;
use fetch::FetchError;
use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// Why an input can't be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    #[error("cannot read {}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("cannot read standard input: {0}")]
    Stdin(io::Error),
    #[error("{0}: no UTF-8 text, so no manifest")]
    Text(String),
    #[error("{}: no .yaml, .yml or .json file in this folder", .0.display())]
    Empty(PathBuf),
    #[error("cannot get {url}: {source}")]
    Url { url: String, source: FetchError },
    #[error("cannot start: {0}")]
    Runtime(io::Error),
}

/// Reads one argument: `-`, a URL, a file, or a folder with what is below it.
pub(crate) fn read(argument: &str) -> Result<Vec<Source>, InputError> {
    if argument == "-" {
        let mut bytes = Vec::new();
        io::stdin()
            .read_to_end(&mut bytes)
            .map_err(InputError::Stdin)?;
        return Ok(vec![source("stdin", bytes)?]);
    }
    if argument.starts_with("http://") || argument.starts_with("https://") {
        let runtime = crate::commands::runtime().map_err(InputError::Runtime)?;
        let failed = |source| InputError::Url {
            url: argument.to_owned(),
            source,
        };
        let bytes = runtime.block_on(fetch::get(argument)).map_err(failed)?;
        return Ok(vec![source(argument, bytes)?]);
    }
    let path = Path::new(argument);
    if !path.is_dir() {
        return Ok(vec![file(path)?]);
    }
    let mut files = Vec::new();
    below(path, &mut files)?;
    if files.is_empty() {
        return Err(InputError::Empty(path.to_owned()));
    }
    files.sort();
    files.iter().map(|path| file(path)).collect()
}

fn source(name: &str, bytes: Vec<u8>) -> Result<Source, InputError> {
    let text = String::from_utf8(bytes).map_err(|_| InputError::Text(name.to_owned()))?;
    Ok(Source {
        name: name.to_owned(),
        text,
    })
}

fn file(path: &Path) -> Result<Source, InputError> {
    source(
        &path.display().to_string(),
        fs::read(path).map_err(failed(path))?,
    )
}

fn below(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), InputError> {
    for entry in fs::read_dir(folder).map_err(failed(folder))? {
        let path = entry.map_err(failed(folder))?.path();
        // A link to a folder could lead back here.
        if path.is_dir() && !path.is_symlink() {
            below(&path, files)?;
        } else if path
            .extension()
            .is_some_and(|end| end == "yaml" || end == "yml" || end == "json")
        {
            files.push(path);
        }
    }
    Ok(())
}

fn failed(path: &Path) -> impl Fn(io::Error) -> InputError {
    let path = path.to_owned();
    move |source| InputError::File {
        path: path.clone(),
        source,
    }
}
