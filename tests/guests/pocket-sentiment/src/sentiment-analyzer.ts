import { PluginNode, NodeMetadata } from '@pocket/plugin-sdk';

interface Input {
  text: string;
  lang?: string;
}

interface Output {
  sentiment: 'positive' | 'negative' | 'neutral';
  score: number;
  confidence: number;
}

export class SentimentAnalyzer extends PluginNode {
  async exec(input: Input): Promise<Output> {
    const text = input.text.toLowerCase();

    // Simple sentiment analysis
    const positiveWords = ['good', 'great', 'excellent', 'love', 'wonderful'];
    const negativeWords = ['bad', 'terrible', 'hate', 'awful', 'horrible'];

    let score = 0;
    const words = text.split(/\s+/);

    for (const word of words) {
      if (positiveWords.includes(word)) score += 1;
      if (negativeWords.includes(word)) score -= 1;
    }

    const normalizedScore = score / words.length;

    return {
      sentiment: normalizedScore > 0.1 ? 'positive' :
                 normalizedScore < -0.1 ? 'negative' : 'neutral',
      score: normalizedScore,
      confidence: Math.min(Math.abs(normalizedScore) * 2, 1)
    };
  }

  getMetadata(): NodeMetadata {
    return {
      type: 'sentiment',
      category: 'ai',
      description: 'Analyzes text sentiment',
      configSchema: {
        type: 'object',
        properties: {
          threshold: {
            type: 'number',
            default: 0.1,
            description: 'Sentiment classification threshold'
          }
        }
      },
      examples: [{
        name: 'Analyze customer feedback',
        config: { threshold: 0.2 },
        input: { text: 'This product is absolutely wonderful' },
        output: { sentiment: 'positive', score: 0.2, confidence: 0.4 }
      }]
    };
  }
}

// Export for plugin system
export default new SentimentAnalyzer();
