//! The version that both sides had before: a blob of the project's git whose content has the digest that Mutagen names.

use std::collections::BTreeSet;
use std::path::Path;

use sha1::{Digest, Sha1};

use crate::commands::context::Context;
use crate::process::Cmd;

/// How many versions of the path git is asked for.
const MOST_VERSIONS: &str = "500";

/// Finds it.
///
/// # Errors
/// Why there is none, for people.
pub(super) fn find(ctx: &Context, root: &Path, path: &Path, digest: Option<&str>) -> Result<Vec<u8>, String> {
    let Some(digest) = digest else {
        return Err("Mutagen does not name the version before (it names it for ten conflicts, and for none that is new)"
            .to_owned());
    };
    let git = |why: &str| {
        Cmd::new("git", why)
            .untranslated()
            .dir(root)
            .env("GIT_OPTIONAL_LOCKS", "0")
            .arg("--literal-pathspecs")
    };
    let log = git("look for the version before")
        .args([
            "log",
            "--all",
            "-n",
            MOST_VERSIONS,
            "--format=",
            "--raw",
            "--no-abbrev",
            "--no-renames",
            "-m",
            "-z",
            "--",
        ])
        .arg(path);
    let index = git("look for the version before").args(["ls-files", "-s", "-z", "--"]).arg(path);
    let mut said = Vec::new();
    for cmd in [index, log] {
        match ctx.runner.answer(&cmd) {
            Ok(output) => said.push(output.stdout),
            Err(error) if error.is_not_found() => return Err("git is not installed here".to_owned()),
            Err(_) => {}
        }
    }
    let blobs = blobs(&String::from_utf8_lossy(&said.concat()));
    if blobs.is_empty() {
        return Err("git here does not know the file".to_owned());
    }
    let input: String = blobs.iter().map(|blob| format!("{blob}\n")).collect();
    let cat = git("read the versions of the file").args(["cat-file", "--batch"]).stdin(input);
    let output = ctx.runner.answer(&cat).map_err(|error| error.to_string())?;
    contents(&output.stdout)
        .into_iter()
        .find(|content| hex::encode(Sha1::digest(content)) == digest)
        .map(<[u8]>::to_vec)
        .ok_or_else(|| "git here has no version of the file that both sides had before".to_owned())
}

/// The names of objects in what `ls-files -s` and `log --raw` say: words of 40 or 64 hexadecimal digits.
fn blobs(text: &str) -> BTreeSet<String> {
    let is_name = |word: &&str| {
        matches!(word.len(), 40 | 64)
            && word.bytes().all(|b| b.is_ascii_hexdigit())
            && word.contains(|c| c != '0')
    };
    text.split([' ', '\t', '\0', '\n']).filter(is_name).map(str::to_owned).collect()
}

/// The contents in an answer of `cat-file --batch`: a line `name blob size`, the bytes, a line break.
fn contents(mut rest: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
        let line = String::from_utf8_lossy(&rest[..end]).into_owned();
        rest = &rest[end + 1..];
        let Some((_, size)) = line.split_once(" blob ") else { continue };
        let Ok(size) = size.parse::<usize>() else { break };
        let Some(content) = rest.get(..size) else { break };
        found.push(content);
        rest = rest.get(size + 1..).unwrap_or_default();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_contents_as_git_gives_them() {
        let (a, b) = ("a".repeat(40), "b".repeat(40));
        let text = format!("100644 {a} 0\tx\0:000000 100644 {} {b} A\0x\0", "0".repeat(40));
        assert_eq!(blobs(&text), BTreeSet::from([a.clone(), b]));
        let batch = format!("{a} blob 4\na\nb\n\n{a} missing\n{a} blob 0\n\n");
        assert_eq!(contents(batch.as_bytes()), [&b"a\nb\n"[..], b""]);
    }
}
