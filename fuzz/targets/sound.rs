#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| streamflow_fuzz::sound(data));
