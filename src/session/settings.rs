//! What a session's sync is to be made with: the configuration, and the project's own files as far as they are
//! trusted.

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::config::{Config, ConfigError};
use crate::ignore;
use crate::tools::mutagen::{SyncMode, SyncSettings};
use crate::trust::{self, Accepted, Assessment};

/// How often Mutagen looks for changes, seconds, until a link tells it of them: measured, 2 s cost 17 to 20 ms of
/// CPU a second for 10,000 files, 1 s twice that.
const POLLING_SECONDS: u32 = 2;
