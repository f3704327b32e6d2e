{
  # A door to the CMake build, so that prebuildify and node-gyp-build work unchanged.
  "targets": [
    {
      "target_name": "qwen3-embed",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake",
          "inputs": [],
          "outputs": ["build/Release/qwen3-embed.node"],
          "action": ["node", "scripts/build-native.mjs"]
        }
      ]
    }
  ]
}
