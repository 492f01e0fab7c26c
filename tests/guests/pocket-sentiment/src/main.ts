import node from './sentiment-analyzer';
import { run } from '@pocket/plugin-sdk';

run(node);
