//! Hostile native code on a Casemate worker's exact path, for tests of the walls.
