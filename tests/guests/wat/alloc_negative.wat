;; Does: casemate_alloc answers -1, which is the address 0xffffffff; adding the length to it wraps in 32 bits.
;; Must: the call is refused as the guest's fault before a byte is written; address and memory size are in the
;; outcome.
(module
  (memory (export "memory") 1)
  (func (export "casemate_abi") (result i32) (i32.const 1))
  (func (export "casemate_alloc") (param $size i32) (param $align i32) (result i32)
    (i32.const -1))
  (func (export "casemate_free") (param $block i32) (param $size i32) (param $align i32))
  ;; status 0, content type 1, JSON
  (data (i32.const 16) "\00\01true")
  (func (export "casemate_call") (param $ptr i32) (param $len i32) (result i64)
    (i64.const 0x0000000600000010)))
