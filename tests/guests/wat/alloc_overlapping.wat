;; Does: casemate_alloc answers the same address each time, that of the plugin's own data. casemate_call
;; passes its request on to the host as it is and answers with the host's reply, which by then lies over the
;; request.
;; Must: only the guest is harmed: the host's function sees the request as it was sent, and the call ends with
;; whatever bytes are there.
(module
  (import "casemate" "host_call" (func $host_call (param i32 i32) (result i64)))
  (memory (export "memory") 1)
  (func (export "casemate_abi") (result i32) (i32.const 1))
  (data (i32.const 1024) "the plugin's own data, which every block overwrites")
  (func (export "casemate_alloc") (param $size i32) (param $align i32) (result i32)
    (i32.const 1024))
  (func (export "casemate_free") (param $block i32) (param $size i32) (param $align i32))
  (func (export "casemate_call") (param $ptr i32) (param $len i32) (result i64)
    (call $host_call (local.get $ptr) (local.get $len))))
