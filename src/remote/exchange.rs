//! Longer talks with a script on the host: bytes on its standard input, bytes back, and time for both.

use std::ops::ControlFlow;
use std::time::Duration;

use super::reply::BEGIN;
use super::{Remote, RemoteError, Script, master_is_dead};
use crate::process::{Cmd, Outcome, ProcessError, Stream};

/// What a script answered, as bytes.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// 0, or one of the scripts' own codes, 90 to 99.
    pub code: i32,
    /// What stands after the line that opens an answer.
    pub bytes: Vec<u8>,
    /// What the script wrote to standard error.
    pub said: String,
}

impl Answer {
    /// The records, each ended by a NUL byte; a last one without is cut off and left out.
    #[must_use]
    pub fn records(&self) -> Vec<Vec<u8>> {
        let mut records: Vec<Vec<u8>> = self.bytes.split(|&byte| byte == 0).map(<[u8]>::to_vec).collect();
        records.pop();
        records
    }

    /// What a program that ran a script of ours wrote: an rc file may print something before the answer.
    #[must_use]
    pub fn new(code: i32, stdout: &[u8], said: String) -> Self {
        let mut bytes = Vec::new();
        let mut rest = stdout;
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            let (line, after) = (&rest[..end], &rest[end + 1..]);
            if line.ends_with(BEGIN.as_bytes()) {
                bytes = after.to_vec();
                break;
            }
            rest = after;
        }
        Self { code, bytes, said }
    }
}

impl Remote {
    /// Gives a script `input` and collects all that it answers. A shared connection whose line is dead ends by itself
    /// within 7 s, so a long talk is never taken for a dead one.
    ///
    /// # Errors
    /// The host was not reached, the script broke, or the time is up. A code of ours is an answer.
    pub fn exchange(
        &self,
        why: &str,
        script: &Script,
        words: &[&str],
        input: Vec<u8>,
        deadline: Duration,
    ) -> Result<Answer, RemoteError> {
        self.talk(why, &self.script_cmd(why, script, words).stdin(input).deadline(deadline))
    }

    /// As [`Remote::exchange`], where the answer may be what stands in a person's own files: the log does not show it.
    ///
    /// # Errors
    /// As [`Remote::exchange`].
    pub fn exchange_not_shown(
        &self,
        why: &str,
        script: &Script,
        words: &[&str],
        input: Vec<u8>,
        deadline: Duration,
    ) -> Result<Answer, RemoteError> {
        self.talk(why, &self.script_cmd(why, script, words).stdin(input).deadline(deadline).not_shown())
    }

    fn talk(&self, why: &str, cmd: &Cmd) -> Result<Answer, RemoteError> {
        self.control().prepare();
        let shared = self.control().exists();
        match self.collect(cmd) {
            Err(error)
                if shared && matches!(error.outcome(), Outcome::Exit(255)) && master_is_dead(&error) =>
            {
                self.drop_master();
                self.collect(cmd).map_err(|error| self.explain(why, error))
            }
            answer => answer.map_err(|error| self.explain(why, error)),
        }
    }

    /// Gives a script `input` and hands over each line that it answers, as it comes. It may take as long as it needs: a
    /// dead line ends by itself within 7 s.
    ///
    /// # Errors
    /// The host was not reached, the line was lost, or the script broke. A code of ours is an answer.
    pub fn stream(
        &self,
        why: &str,
        script: &Script,
        words: &[&str],
        input: Vec<u8>,
        each: &mut dyn FnMut(&str),
    ) -> Result<i32, RemoteError> {
        let cmd = self.script_cmd(why, script, words).stdin(input).no_deadline();
        self.control().prepare();
        let mut begun = false;
        let output = self.runner.lines(&cmd, &mut |line| {
            if begun {
                each(line);
            }
            begun |= line.ends_with(BEGIN);
            ControlFlow::Continue(())
        });
        output.map(|output| output.code).map_err(|error| self.explain(why, error))
    }

    fn collect(&self, cmd: &Cmd) -> Result<Answer, ProcessError> {
        let mut stdout = Vec::new();
        let output = self.runner.watch(cmd, &mut |stream, bytes| {
            if stream == Stream::Stdout {
                stdout.extend_from_slice(bytes);
            }
            ControlFlow::Continue(())
        })?;
        Ok(Answer::new(output.code, &stdout, output.stderr))
    }

    /// As [`Remote::exchange`], for a script that only has one answer.
    ///
    /// # Errors
    /// As there, or the script ended with a code of ours: its words say why.
    pub fn ask(
        &self,
        why: &str,
        script: &Script,
        words: &[&str],
        input: Vec<u8>,
        deadline: Duration,
    ) -> Result<Answer, RemoteError> {
        let answer = self.exchange(why, script, words, input, deadline)?;
        if answer.code == 0 {
            return Ok(answer);
        }
        let host = self.name().to_owned();
        Err(RemoteError::Script { host, doing: why.to_owned(), code: answer.code, said: answer.said })
    }

    /// For an answer that is not understood.
    #[must_use]
    pub fn not_understood(&self) -> String {
        format!("could not understand what host `{}` said", self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_before_the_answer_is_left_out_and_a_cut_record_too() {
        let answer = Answer::new(0, b"hello\nnoise sinc-begin 1\na\nb\0c\0cut", String::new());
        assert_eq!(answer.records(), [b"a\nb".to_vec(), b"c".to_vec()]);
        assert!(Answer::new(0, b"no answer\n", String::new()).records().is_empty());
    }
}
