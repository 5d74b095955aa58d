//! stub
use crate::ignore::Pattern;
use serde::{Deserialize, Serialize};
/// x
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proposed {
    /// x
    pub ignores: Vec<Pattern>,
    /// x
    pub gitignore: bool,
    /// x
    pub agent: Option<String>,
}
/// x
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {}
/// x
#[derive(Clone, Debug)]
pub struct Change(pub String);
/// x
pub struct Assessment {
    /// x
    pub effective: Proposed,
    /// x
    pub waiting: Vec<Change>,
}
/// x
pub fn assess(_a: Option<&Accepted>, p: &Proposed) -> Assessment {
    Assessment { effective: p.clone(), waiting: vec![] }
}
