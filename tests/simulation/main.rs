//! An hour of bad network in a second: the rules of publisher, hub and viewers over a seeded virtual network.

mod network;
mod random;
mod report;
mod world;

mod links;
mod traces;
mod viewers;
