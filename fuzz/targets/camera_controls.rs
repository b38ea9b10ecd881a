#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| streamflow_fuzz::camera_controls(data));
